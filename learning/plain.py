"""Plain words: says what the messages of libraries and of Python mean, to people who know none of them: msgspec, Kafka's client, Redis, HTTP, TLS, ONNX."""

import re
from collections.abc import Callable

from headrace.learning.errors import HeadraceError

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
ALONE = {
    "MemoryError": "there is not enough memory",
    "AssertionError": "an assertion does not hold",
    "SystemExit": "the code asks the process to end",
}
"""Classes of errors that have no text, and whose names say too little."""

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
    >>> plain("Number out of range - at `$[...][...]`")
    'a number is too large'
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
    """Say in plain words why a broker, a disk, a connection or the code of a library failed: the error's text, or the name of its class as words.

    Examples
    --------
    >>> plain_failure(ConnectionRefusedError(111, "Connection refused")), plain_failure(TimeoutError())
    ('Connection refused', 'timeout')
    >>> plain_failure(FileNotFoundError(2, "No such file or directory", "a.csv")), plain_failure(KeyError("price"))
    ('a.csv: No such file or directory', "there is no 'price'")
    """
    if isinstance(error, KeyError) and len(error.args) == 1:
        return f"there is no {str(error.args[0])[:80]!r}"
    said = "" if isinstance(error, SystemExit) or str(error) == type(error).__name__ else str(error)
    if isinstance(error, OSError) and isinstance(error.strerror, str) and isinstance(error.filename, str):
        said = f"{error.filename}: {error.strerror}"
    said = re.sub(r"^(?:\[Error -?\d+\] )?(\w+)Error\b:? *", _name, said or f"{plain_kind(error)}: ")
    return plain(said).strip().rstrip(".:")


def plain_error(error: BaseException) -> str:
    """Say what an error means: one of Headrace is in plain words already, and has its remedy; any other is put into such words.

    Examples
    --------
    >>> plain_error(HeadraceError("the disk is full.", "Make room.")), plain_error(OSError(28, "No space left on device"))
    ('the disk is full. Make room.', 'No space left on device')
    """
    return str(error) if isinstance(error, HeadraceError) else plain_failure(error)


def plain_kind(error: BaseException) -> str:
    """Say of what kind an error is, without its text: for callers who are not to know the addresses of brokers and stores.

    Examples
    --------
    >>> plain_kind(ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 6379)")), plain_kind(TimeoutError())
    ('connection refused', 'timeout')
    """
    name = type(error).__name__
    return ALONE.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower() or "failed"


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
    path = found["path"].removeprefix(".").replace("[...]", "[]")
    return f", at '{path}'" if path.strip("[]") else ""  # brackets alone name no place


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
    (re.compile(r"'([\w-]+)' codec can't (?:de|en)code .*?: [\w ]+(?:\([^)]*\))?"), r"it is not \1"),
    (re.compile(r"maximum recursion depth exceeded[\w ]*"), "it is nested too deep"),
    (re.compile(r"(?:\w*Error: )?Unable to bootstrap from \[?(?:\('[^']*', \d+(?:, <[^>]*>)?\)(?:, )?)+\]?"), _hosts),
    (re.compile(r"<AddressFamily\.(\w+)[^>]*>"), r"\1"),
    (re.compile(r"\[Errno -?\d+\] "), ""),
    (re.compile(r"Connect call failed \('([^']*)', (\d+)[^)]*\)"), r"\1:\2 does not answer"),
    (re.compile(r"Multiple exceptions: "), ""),
    (re.compile(r"Cannot connect to host (\S+) ssl:\S+ \[.*\]"), r"\1 does not answer"),
    (re.compile(r"Response payload is not completed(?:: <.*>)?"), "the answer breaks off"),
    (re.compile(r"Error -?\d+ connecting to (\S+?)\. "), r"\1: "),
    (re.compile(r"Error -?\d+ while (?:reading|writing) (?:from|to) [^.]*\. *"), ""),
    (re.compile(r"Error -?\d+ while decompressing data: "), ""),
    (re.compile(r"Not a gzipped file \(.*\)"), "it is not gzip"),
    (re.compile(r"(?:\[(?:SSL|X509)\b[^\]]*\] )?([^\n]*?) \(_ssl\.c:\d+\)"), r"\1"),
    (re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : "), ""),
    (re.compile(r"No module named ('[^']*')"), r"there is no module \1"),
    (re.compile(r"(?:object of type )?'NoneType'(?: object)?"), "null"),
    (re.compile(r"<class '(?:[^']*\.)?(\w+)'>"), lambda found: NOUNS.get(found[1], found[1])),
    (re.compile(r"\bis (True|False)\b"), lambda found: found[0].lower()),
    (re.compile(r"\bis None\b"), "is null"),
]  # fmt: skip
"""What is looked for, in this order, and what is written in its place."""
