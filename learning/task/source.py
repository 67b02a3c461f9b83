"""A source: a topic of a team's own, and how its messages become records of a task."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

Expression = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Topic = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z", examples=["orders"])]


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the messages of one topic become records. The expressions are JMESPath, over the JSON that a message holds.

    What an expression finds to be null, or is left out, the record does not have; but for `id`, `key` and `time`, for which what
    Kafka knows of the message stands in.

    Parameters
    ----------
    topic
        A topic that is there: a worker does not start without it, and does not make it. Several sources may have the same, for instance
        one for its questions and one for its labels.
    rows
        Gives a list whose elements are the rows that the other expressions look at. Left out: the message is one row.
    when
        Rows for which it is false, null, zero or empty are left out, and counted. Left out: every row is taken.
    id
        Joins a label to its question: a string or a whole number. A source of labels alone needs it. Left out, or null: where the message
        is, such as `orders/0/17`, and `/row` where it can have several.
    key
        The entity, a string or a whole number; it decides the shard as Kafka's own partitioner does. Left out, or null: the message's key;
        with neither, the source's partition decides.
    time
        Event time, in `time_unit`. Left out, or null: the message's timestamp.
    time_unit
        `"s"`, `"ms"` or `"us"` since the epoch, or `"iso8601"`: a string, UTC if it names no zone.
    label
        The truth, in the task's domain. For `"binary"`, compare: ``"clicked == `1`"`` is true or false.
    features
        A table from each feature to its expression, or one expression that gives an object. Features that are null are left out.

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
        """The expressions, each with the key that it stands under."""
        for name in ("rows", "when", "id", "key", "time", "label"):
            if expression := getattr(self, name):
                yield name, expression
        if isinstance(self.features, str):
            yield "features", self.features
        else:
            for feature, expression in (self.features or {}).items():
                yield f"features.{feature}", expression
