"""What a run in a fake world is held to, and what it raises when that is broken."""

from enum import Enum


class Rule(Enum):
    """A rule that a run is held to. Its value says how it is broken."""

    EMITTED = "a snapshot is written before the effects that it covers are published"
    DURABLE = "a position is committed before a snapshot of it is durable"
    SAME_LOG = "the mark of the last message is not that of the message in the log"
    NO_GAP = "messages are passed over"
    FITS = "a snapshot does not fit the questions and labels that wait"
    WAITING = "other questions and labels wait than in the uninterrupted fold"
    LIVE = "the shard is not live at the end"
    STATE = "the state is not that of the uninterrupted fold"
    EFFECTS = "the effects that were published are not those of the uninterrupted fold"
    COMMITTED = "the position that is committed last is not the end of the log"
    LAST_SNAPSHOT = "the furthest snapshot is not of the last state"
    ONCE = "a row is folded again"
    IN_ORDER = "rows are not folded in the order of their source"
    NONE_LOST = "the rows that were folded are not the good rows of the source"
    REJECTED = "the rows that were rejected are not the bad rows of the source"


class Violation(AssertionError):
    """A rule was broken. `rule` says which."""

    def __init__(self, rule: Rule, detail: object = ""):
        super().__init__(f"{rule.value}; {detail}")
        self.rule = rule


def hold(rule: Rule, is_held: bool, detail: object = "") -> None:
    """Raise a `Violation` of the rule unless it is held."""
    if not is_held:
        raise Violation(rule, detail)
