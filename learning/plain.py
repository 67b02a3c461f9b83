"""Plain words: says what the messages of msgspec, of Python and of Kafka's client mean, to people who know none of them."""

import re
from collections.abc import Callable

NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a string",
    "bool": "true or false",
    "null": "null",
    "None": "null",
    "object": "an object",
    "array": "a list",
    "bytes": "bytes",
    "datetime": "a time",
    "date": "a date",
    "time": "a time of day",
}
"""The types of JSON and TOML, as msgspec names them, and their words."""

BOUNDS = {"<=": "up to", ">=": "from", "<": "below", ">": "above"}
LONGEST = 500
"""The most characters of a text that is translated: a name in it may be as long as a message, and some rules take the square of its length."""

UNITS = {"str": "characters", "array": "elements", "object": "keys", "bytes": "bytes"}
REASONS = {
    "trailing characters": "something follows its end",
    "trailing comma in object": "a comma stands before '}'",
    "trailing comma in array": "a comma stands before ']'",
}
"""The reasons of a JSON decoder that need other words. Most are plain."""

Write = Callable[[re.Match[str]], str]


def plain(text: object) -> str:
    """Put the messages of libraries in a text, or that of an error, into plain words. Other parts of the text stay as they are.

    Examples
    --------
    >>> plain("Expected `int`, got `str` - at `$.tasks[0]`")
    "a whole number is expected and not a string, at 'tasks[0]'"
    >>> plain("Expected `int | null` >= 1")
    'a whole number from 1 is expected'
    >>> plain("JSON is malformed: trailing characters (byte 21)")
    'something follows its end at byte 21'
    >>> plain("Unable to bootstrap from [('127.0.0.1', 9092, <AddressFamily.AF_INET: 2>)]")
    'none of 127.0.0.1:9092 answers'
    """
    said = str(text)
    if len(said) > LONGEST:
        said = f"{said[:LONGEST]}..."
    for pattern, write in RULES:
        said = pattern.sub(write, said)
    return said


def plain_failure(error: BaseException) -> str:
    """Say in plain words why a broker or a connection failed: the error's text, or the name of its class if it has none.

    Examples
    --------
    >>> plain_failure(ConnectionRefusedError(111, "Connection refused")), plain_failure(TimeoutError())
    ('Connection refused', 'timeout')
    """
    said = re.sub(r"^(?:\[Error -?\d+\] )?(\w+)Error\b:? *", _name, str(error) or f"{type(error).__name__}: ")
    return plain(said).strip().rstrip(".:")


def _name(found: re.Match[str]) -> str:
    """Write the name of an error of Kafka as words."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", found[1]).lower()
    return f"{words}: " if words not in ("kafka connection", "os") else ""


def _noun(types: str) -> str:
    """Name a type, or several: `int | null` is a whole number, since what is left out needs no word."""
    names = [one for one in types.split(" | ") if one not in ("null", "None")] or ["null"]
    nouns = list(dict.fromkeys(NOUNS.get(one, one) for one in names))
    if "a whole number" in nouns and "a number" in nouns:
        nouns.remove("a whole number")
    return nouns[0] if len(nouns) == 1 else f"{', '.join(nouns[:-1])} or {nouns[-1]}"


def _expected(found: re.Match[str]) -> str:
    return f"{_noun(found['wanted'])} is expected and not {_noun(found['got'])}"


def _bounded(found: re.Match[str]) -> str:
    return f"{_noun(found['type'])} {BOUNDS[found['sign']]} {found['bound']} is expected"


def _sized(found: re.Match[str]) -> str:
    size = {">=": "at least", "<=": "up to"}.get(found["sign"], BOUNDS[found["sign"]])
    unit = UNITS[found["type"]].removesuffix("s" if found["bound"] == "1" else " ")
    return f"{_noun(found['type'])} of {size} {found['bound']} {unit} is expected"


def _long(found: re.Match[str]) -> str:
    length = {"at least length": "at least", "at most length": "up to", "length": "exactly"}[found["how"]]
    got = f" and not {found['got']}" if found["got"] else ""
    noun = "element" if found["bound"] == "1" else "elements"
    return f"a list of {length} {found['bound']} {noun} is expected{got}"


def _takes(found: re.Match[str]) -> str:
    bound = f" {BOUNDS[found['sign']]} {found['bound']}" if found["sign"] else ""
    return f"It takes {_noun(found['type'])}{bound}"


def _malformed(found: re.Match[str]) -> str:
    return f"{REASONS.get(found['reason'], found['reason'])} at byte {found['byte']}"


def _hosts(found: re.Match[str]) -> str:
    hosts = re.findall(r"\('([^']*)', (\d+)", found[0])
    return f"none of {', '.join(f'{host}:{port}' for host, port in hosts)} answers"


def _place(found: re.Match[str]) -> str:
    path = found["path"].removeprefix(".")
    return f", at '{path.replace('[...]', '[]')}'" if path else ""


RULES: list[tuple[re.Pattern[str], str | Write]] = [
    (re.compile(r" - at `key` in `\$(?P<path>[^`]*)`"), lambda found: ", in a name" + _place(found)),
    (re.compile(r" - at `\$(?P<path>[^`]*)`"), _place),
    (re.compile(r"(?i:expected) `str` matching regex (?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"),
     "it is not in the expected form"),
    (re.compile(r"(?i:expected) `array` of (?P<how>at least length|at most length|length) (?P<bound>\d+(?: to \d+)?)(?:, got (?P<got>\d+))?"),
     _long),
    (re.compile(r"(?i:expected) `(?P<type>\w+)(?: \| null)?` of length (?P<sign>[<>]=?) (?P<bound>\d+)"), _sized),
    (re.compile(r"(?i:expected) `(?P<type>[\w |]+)` (?P<sign>[<>]=?) (?P<bound>[-+.\w]*\w)"), _bounded),
    (re.compile(r"(?i:expected) `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`"), _expected),
    (re.compile(r"(?i:expected) `(?P<wanted>[^`]+)`"), lambda found: f"{_noun(found['wanted'])} is expected"),
    (re.compile(r"It takes `(?P<type>[^`]+)`(?: (?P<sign>[<>]=?) (?P<bound>[-+.\w]*\w))?"), _takes),
    (re.compile(r"(?i:object) missing required field `([^`]*)`"), r"'\1' is missing"),
    (re.compile(r"(?i:object) contains unknown field `([^`]*)`"), r"there is no key '\1'"),
    (re.compile(r"(?i:invalid) (?:enum )?value ('(?:[^'\\]|\\.)*'|\d+)"), r"\1 is none of the words that it takes"),
    (re.compile(r"(?:Number|Integer value) out of range"), "a number is too large"),
    (re.compile(r"JSON is malformed: (?P<reason>.+?) \(byte (?P<byte>\d+)\)"), _malformed),
    (re.compile(r"Input data was truncated"), "it ends too early"),
    (re.compile(r"'utf-8' codec can't decode bytes? .*?: (?:invalid \w+ byte|unexpected end of data)"), "it is not UTF-8"),
    (re.compile(r"maximum recursion depth exceeded[\w ]*"), "it is nested too deep"),
    (re.compile(r"(?:\w*Error: )?Unable to bootstrap from \[?(?:\('[^']*', \d+(?:, <[^>]*>)?\)(?:, )?)+\]?"), _hosts),
    (re.compile(r"<AddressFamily\.(\w+)[^>]*>"), r"\1"),
    (re.compile(r"\[Errno -?\d+\] "), ""),
    (re.compile(r"\bis (True|False)\b"), lambda found: found[0].lower()),
    (re.compile(r"\bis None\b"), "is null"),
]  # fmt: skip
"""What is looked for, in this order, and what is written in its place."""
