"""A source: a team's own topic, with the mapping of its messages to records of a task."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Topic = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z", examples=["orders"])]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic whose messages are read, mapped to records and appended to the task's event log.

    Expressions are JMESPath and apply to the JSON of a message. If the expression of a field is left out or gives null, the record lacks
    that field; `id`, `key` and `time` have a default from the Kafka message instead. A message whose value is null, a tombstone, is left
    out and counted.

    Parameters
    ----------
    topic
        An existing topic: a worker does not create it, and does not start without it. Several sources may name the same topic, for
        instance one for its questions and one for its labels.
    rows
        Gives a list; each element is a row to which the other expressions apply. Left out: the message is one row.
    when
        Rows for which it gives false, null, zero or an empty value are left out, and counted. Left out: every row is taken.
    id
        The id that joins a label to its question, a string or a whole number. A source without features needs it. Left out, or null: the
        source position, such as `orders/0/17`, or `orders/0/17/2` if a message can have several rows.
    key
        The entity's key, a string or a whole number. Kafka's default partitioner finds the shard from it. Left out, or null: the
        message's key; if there is none, the source's partition decides the shard.
    time
        Event time, in `time_unit`. Left out, or null: the message's timestamp.
    time_unit
        `"s"`, `"ms"` or `"us"` since the epoch, or `"iso8601"`: a string, in UTC if it names no zone.
    label
        The label, in the task's domain. For `"binary"`, compare: ``"clicked == `1`"`` is true or false.
    features
        A table of features with their expressions, or one expression that gives an object. Features that are null are left out.

    Examples
    --------
    >>> dict(Source(topic="clicks", label="clicked", features={"price": "offer.price"}).expressions())
    {'label': 'clicked', 'features.price': 'offer.price'}
    """

    topic: Topic
    rows: Expression | None = None
    when: Expression | None = None
    id: Expression | None = None
    key: Expression | None = None
    time: Expression | None = None
    time_unit: Literal["s", "ms", "us", "iso8601"] = "s"
    label: Expression | None = None
    features: Expression | dict[str, Expression] | None = None

    def __post_init__(self) -> None:
        if not self.features and self.label is None:
            raise ValueError("a source needs features or label, or both")
        if not self.features and self.id is None:
            raise ValueError("a source of labels alone needs id, which joins them to their questions")

    def expressions(self) -> Iterator[tuple[str, str]]:
        """Yield each expression with its settings key."""
        for name in ("rows", "when", "id", "key", "time", "label"):
            if expression := getattr(self, name):
                yield name, expression
        if isinstance(self.features, str):
            yield "features", self.features
        else:
            for feature, expression in (self.features or {}).items():
                yield f"features.{feature}", expression
