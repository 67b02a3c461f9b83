from typing import Any, TypedDict, type_check_only

@type_check_only
class _Node(TypedDict):
    type: str
    value: object
    children: list[_Node | object]

class ParsedResult:
    parsed: _Node
    def search(self, value: Any, options: None = None) -> Any: ...
