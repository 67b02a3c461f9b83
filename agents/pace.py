"""The pace of a worker: how often its loops look, how soon they try again, and how long leaving may take."""

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The waits of a worker's loops, all in seconds. A worker runs with the defaults; tests give shorter ones.

    Time limits of requests, and budgets, are not waits: they are constants of the modules that keep them.

    Examples
    --------
    >>> Pace().leave_all, Pace(leave=0.5).leave_all
    (6.0, 1.5)
    """

    watch_shards: float = 0.2
    """How often a shard checks whether a snapshot is due, and whether the log has messages that were not delivered."""

    watch_sources: float = 1.0
    """How often the position in a source is committed; also how long it may lag behind without moving before the source is read."""

    stuck: float = 1.0
    """How long a position may lag behind the log without moving before the messages are read from the log."""

    compare_idle: float = 10.0
    """How often an idle shard checks that its log is still the one that it has folded."""

    tick: float = 1.0
    """The shortest time between two ticks of a shard."""

    recommit: float = 3_600.0
    """How often a position that does not move is committed again: Kafka forgets an offset that was not renewed for a week."""

    yield_after: float = 0.001
    """How long a shard may fold, or an intake map, before the event loop may serve requests: well under their promised latency."""

    retry: float = 0.5
    """How long to wait before opening, following or reading a partition is tried again."""

    poll_snapshots: float = 0.1
    """How long replicas wait for new entries of the changelogs; also how soon a change of the owned shards is noticed."""

    look_up_ends: float = 1.0
    """How often replicas look up the ends of the log."""

    check_arrivals: float = 0.002
    """How often the models are checked while a request waits. The fold sends no notification: most of the time no request waits for one."""

    retry_requests: float = 1.0
    """How long to wait before requests are read from Kafka again."""

    retry_hook: float = 1.0
    """How long to wait before a signal that the hook did not take is sent again. The wait doubles with each try."""

    retry_hook_max: float = 60.0
    """The longest wait before a signal is sent again."""

    look_at_topics: float = 2.0
    """How often the topics are looked up, with one request for all tasks of the worker."""

    confirm_trouble: float = 1.0
    """How soon a suspected trouble with a topic is checked again: a broker that has just started may not list every topic yet."""

    look_at_topics_max: float = 30.0
    """The longest wait between two requests to a broker that does not answer. The wait begins at `look_at_topics` and doubles."""

    check_group: float = 2.0
    """How often to check whether the client still works for the group."""

    restart: float = 0.5
    """How long to wait before a background task that has failed is started again. The wait doubles with each failure."""

    restart_max: float = 30.0
    """The longest wait before a background task is started again."""

    calm: float = 60.0
    """After a run of this length, the wait before a background task is started again is `restart`."""

    cancel_again: float = 0.1
    """How long to wait before a background task that has not ended is cancelled again."""

    leave: float = 5.0
    """How long a revoked partition may take to save its last progress. Nothing is lost without: the log has every message."""

    close: float = 1.0
    """How long connections may take to close. A broker that is away would hold them for a minute; the next owner sends again what the broker has
    not acknowledged."""

    @property
    def leave_all(self) -> float:
        """Return how long the last snapshots and positions of all partitions may take together."""
        return self.leave + 1.0
