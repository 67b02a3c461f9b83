"""Every place that shows a caught error puts it into plain words: the source is walked, so that a new place is found too."""

import ast

import harness
import pytest

import headrace.learning.errors

ROOMS = ("learning", "agents", "tables", "app")

OWN = {name for name, value in vars(headrace.learning.errors).items() if isinstance(value, type)} | {
    "ClientError", "HookError", "InvalidCellError", "ProofError", "RateError", "Refusal", "RequestRefused", "SegmentError",
    "UnavailableError", "UnreachableError", "Unwritable", "UnusableAnswerError",
}  # fmt: skip
"""The errors of Headrace: their texts are in plain words."""

PLAIN = {
    "learning/plain.py": "it is what puts them into plain words",
    "learning/fold/trial.py": "a user's own model has raised it: its author knows Python, and needs the name of the class",
    "learning/fold/checks.py": "as in trial.py",
    "app/serving/served_task.py": "as in trial.py",
    "learning/encoding/writer.py": "the text is Headrace's own: what of a state cannot be written",
    "app/settings/load.py": "the texts are Headrace's own, of addresses and durations, or of tomllib, which names line and column",
    "app/cli/init.py": "as in load.py",
    "app/settings/task.py": "JMESPath says what is wrong with an expression, and where",
    "agents/expressions.py": "as in task.py",
    "app/settings/section.py": "the text is taken apart, and its parts are put into plain words",
    "app/stores.py": "tables/mirror.py has put it into plain words",
    "app/client/frames.py": "app/answers/declared.py has put it into plain words",
    "app/cli/mend.py": "the text is Headrace's own: what is wrong with a line",
    "app/trial.py": "the text is Headrace's own: what takes too long",
    "app/files/river.py": "msgspec names the type of a value that has no form in JSON",
    "app/files/table.py": "the csv module says what is wrong with a row",
    "app/files/arrow.py": "pyarrow says what is wrong with a file",
}
"""The files in which an error of a library becomes text as it is, and why it may."""


def shown(tree):
    """Yield the line of each place where a caught error becomes text as it is."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for argument in function.args.args:
            if argument.annotation is not None and ast.unparse(argument.annotation) in ("BaseException", "Exception"):
                yield from lines(function, argument.arg)
        for handler in ast.walk(function):
            if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type is not None:
                names = {ast.unparse(one) for one in getattr(handler.type, "elts", [handler.type])}
                if not names <= OWN:
                    yield from lines(handler, handler.name)


def lines(node, name):
    """Yield the lines in which an error of a name becomes text: `{error}`, `{error!r}`, `str(error)`, `repr(error)`, `type(error).__name__`.

    A text that is only compared with another is not shown.
    """
    compared = {
        id(part)
        for one in ast.walk(node)
        if isinstance(one, ast.Compare) or (isinstance(one, ast.Call) and called(one) in ("startswith", "endswith"))
        for part in ast.walk(one)
    }
    for one in ast.walk(node):
        if isinstance(one, ast.FormattedValue) and is_named(one.value, name):
            yield one.lineno
        is_made_text = isinstance(one, ast.Call) and called(one) in ("repr", "str") and id(one) not in compared
        if is_made_text and one.args and is_named(one.args[0], name):
            yield one.lineno
        if isinstance(one, ast.Attribute) and one.attr == "__name__" and ast.unparse(one.value) == f"type({name})":
            yield one.lineno


def called(call):
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", None)


def is_named(node, name):
    return isinstance(node, ast.Name) and node.id == name


def places(text):
    """The lines of a source that show an error as it is, but for those that put it into plain words on the same line."""
    source = text.split("\n")
    return sorted({line for line in shown(ast.parse(text)) if "plain(" not in source[line - 1]})


FILES = {
    file.relative_to(harness.ROOT).as_posix(): file
    for room in ROOMS
    for file in (harness.ROOT / room).rglob("*.py")
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES.keys() - PLAIN.keys()))
def test_no_caught_error_of_a_library_is_shown_as_it_is(name):
    found = places(FILES[name].read_text())
    assert found == [], f"{name}: lines {found}: use plain_error or plain_failure of learning/plain.py"


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_each_exception_is_still_one(name):
    assert places(FILES[name].read_text()), f"{name} shows no error as it is any more: take it out of PLAIN"


@pytest.mark.parametrize(
    "made", ["{error!r}", "{error}", "{str(error)}", "{repr(error)[:9]}", "{type(error).__name__}"]
)
def test_a_place_that_shows_an_error_as_it_is_is_noticed(made):
    caught = (
        f"def say():\n    try:\n        read()\n    except OSError as error:\n        raise Failed(f'no: {made}')\n"
    )
    assert places(caught) == [5]
    given = f"def say(error: BaseException):\n    return f'no: {made}'\n"
    assert places(given) == [2]


@pytest.mark.parametrize("made", ["{plain_failure(error)}", "{plain_error(error)}"])
def test_a_place_that_puts_it_into_plain_words_is_not(made):
    caught = (
        f"def say():\n    try:\n        read()\n    except OSError as error:\n        raise Failed(f'no: {made}')\n"
    )
    assert places(caught) == []
