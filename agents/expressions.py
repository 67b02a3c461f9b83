"""Compiles the JMESPath expressions of a source, which select the parts of a record from a team's own documents."""

import re
from collections.abc import Callable

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from headrace.learning.task import Json

Expression = Callable[[Json], Json]
"""A compiled expression: returns the value that it selects from a document, or None."""

_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def compile_expression(text: str) -> Expression:
    """Compile a JMESPath expression.

    Raises
    ------
    ValueError
        The text is not a valid expression. The error has the reason.

    Examples
    --------
    >>> compile_expression("offer.price")({"offer": {"price": 3.5}})
    3.5
    >>> compile_expression("lenght(items)")
    Traceback (most recent call last):
    ...
    ValueError: there is no function lenght()
    """
    if _PATH.fullmatch(text):
        return _follow(text.split("."))  # returns the same values in a fifth of the time
    try:
        compiled = jmespath.compile(text)
        _check(compiled.parsed)
    except JMESPathError as error:
        raise ValueError(str(error).splitlines()[0].rstrip(":")) from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return compiled.search


def _follow(names: list[str]) -> Expression:
    def select(document: Json) -> Json:
        for name in names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return select


def _check(node: Json, parent: str = "") -> None:
    """Raise JMESPathError for a mistake that JMESPath itself reports only when it applies the expression."""
    kind = node["type"]
    if kind == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
        raise JMESPathError(f"there is no function {node['value']}()")
    if kind == "expref" and parent != "function_expression":
        raise JMESPathError("'&' stands outside of a function's arguments")
    for child in node["children"]:
        if isinstance(child, dict):
            _check(child, kind)
