class Functions:
    FUNCTION_TABLE: dict[str, dict[str, object]]
