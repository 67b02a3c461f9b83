"""What the feature store holds."""

import msgspec

from headrace.learning.task import Value


class StoredValue(msgspec.Struct, frozen=True):
    """A stored feature: its value, null if it cannot be read, and its age in seconds."""

    value: Value | None
    age_s: float | None


class StoredEntity(msgspec.Struct, frozen=True):
    """The stored features of an entity, by name."""

    key: str
    features: dict[str, StoredValue]
