"""What no text for people may have: the words of msgspec, of Python and of Kafka's client."""

import re

FOREIGN = re.compile(
    r"Expected `|expected `|, got `|`(?:str|int|float|bool|array|object|null)\b|at `\$|\$\.|regex|(?i:object) (?:missing required|contains unknown) field|malformed: |was truncated"
    r"|<AddressFamily|<class |<function |\bis (?:None|True|False)\b|codec can't|Errno|NoneType|\(_ssl|ssl:default|ONNXRuntimeError|Connect call failed|Error -?\d+ |recursion|Traceback|\w+Error\(|\w+Error: "
)


def foreign(text):
    """The first foreign words of a text, with what stands around them; None if it is plain."""
    found = FOREIGN.search(text)
    return found and text[max(0, found.start() - 40) : found.end() + 40]
