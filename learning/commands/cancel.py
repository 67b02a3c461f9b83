"""The command `cancel`: a job is wanted no more."""

from headrace.learning.acts.refusal import Refusal
from headrace.learning.promises import Cancel
from headrace.learning.state import State, remember
from headrace.learning.turn import Turn


def cancel(state: State, _turn: Turn, arguments: Cancel) -> str:
    """Note that a job is wanted no more. A shard that waits for it has looked ahead to this record, and gone on without it."""
    name = arguments.job
    if name in state.jobs:
        del state.jobs[name]
        did = f"gave up {name}{': ' + arguments.why if arguments.why else ''}"
        remember(state, name, did)  # the end of the job, for those who ask what its install did
        return did
    if name in state.controls:
        return f"nothing: {name} has ended before"
    raise Refusal(f"there is no job '{name}' under way. There are: {', '.join(state.jobs) or 'none'}.")
