"""A message of one's own: for folding without Kafka."""

import msgspec


class Message(msgspec.Struct):
    r"""A message of an event log, as `Learner.fold` takes it. Those that a Kafka client hands over do as well.

    Parameters
    ----------
    offset
        Its place in the log, from 0. A learner folds the offset at its position.
    value
        One record as JSON, or several, one a line; None holds no record.
    timestamp
        Milliseconds since the epoch; it moves log time.
    key
        The key of the entity, as bytes, or None.

    Examples
    --------
    >>> Message(0, b'{"features": {"x": 1.5}, "label": true}')
    Message(offset=0, value=b'{"features": {"x": 1.5}, "label": true}', timestamp=0, key=None)
    """

    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
