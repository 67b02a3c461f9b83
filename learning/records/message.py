"""A message that does not come from Kafka: for folding in a script or a test."""

import msgspec


class Message(msgspec.Struct):
    r"""A message of an event log for `Learner.fold`, which takes the messages of a Kafka client as well.

    Parameters
    ----------
    offset
        The place of the message in the log, from 0. A learner folds the message whose offset is the learner's position.
    value
        One record as JSON, or several, one per line; None holds no record.
    timestamp
        Milliseconds since the epoch. Log time moves up to it.
    key
        The entity's key as bytes, or None.

    Examples
    --------
    >>> Message(0, b'{"features": {"x": 1.5}, "label": true}')
    Message(offset=0, value=b'{"features": {"x": 1.5}, "label": true}', timestamp=0, key=None)
    """

    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
