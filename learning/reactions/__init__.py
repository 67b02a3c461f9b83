"""Reactions: what a shard does about a drift, or about what a guard has found."""

from functools import lru_cache
from typing import Annotated, get_args

import msgspec
from msgspec import Meta

from headrace.learning.catalogue import Catalogue
from headrace.learning.drift import DETECTORS
from headrace.learning.errors import ReactionError
from headrace.learning.guards import GUARDS, Guard, guards_of
from headrace.learning.parameters import build_with
from headrace.learning.plain import plain
from headrace.learning.reactions.alert import Alert, describe
from headrace.learning.reactions.background import Background
from headrace.learning.reactions.hold import Hold
from headrace.learning.reactions.pause import BREAKER, Pause
from headrace.learning.reactions.rate import Boost, Calm
from headrace.learning.reactions.reaction import PER, Reacting, Reaction
from headrace.learning.reactions.reset import Reset
from headrace.learning.reactions.retrain import Retrain
from headrace.learning.reactions.rollback import Rollback
from headrace.learning.task import Mode, Row, Task
from headrace.learning.watch import watchings

__all__ = ["BREAKER", "PER", "REACTIONS", "Reacting", "Reaction", "describe", "reactings"]

REACTIONS: Catalogue[type[Reaction]] = Catalogue(
    "reaction",
    {
        "hold": Hold,
        "alert": Alert,
        "boost": Boost,
        "calm": Calm,
        "reset": Reset,
        "background": Background,
        "retrain": Retrain,
        "rollback": Rollback,
        "pause": Pause,
    },
)
"""Each reaction that a task may name, with its class."""

KEYS = ("do", "on", "mode", "budget", "cooldown")

ON = ("error", "score", "label_rate", "features", "better", "warning", "guard")
"""What a reaction may be to, besides the name of a detector, `feature:NAME` and `guard:NAME`."""


class _Terms(msgspec.Struct, forbid_unknown_fields=True):
    """What a row of `reactions` has besides the parameters of the reaction."""

    do: str
    on: str | list[str] = "error"
    mode: Mode | None = None
    budget: Annotated[int, Meta(ge=1, le=10**9)] = 5
    cooldown: Annotated[int, Meta(ge=0, le=10**9)] = 1_000


@lru_cache(maxsize=64)
def _read(rows: bytes, guard: Mode) -> tuple[Reacting, ...]:
    return (
        *(_read_one(number, row) for number, row in enumerate(msgspec.msgpack.decode(rows))),
        *(
            Reacting(f"guard {name}", REACTIONS[each.asks](), (f"guard:{name}",), guard, budget=5, cooldown=1_000)
            for name, each in GUARDS.items()
            if each.asks
        ),
    )


def _read_one(number: int, row: Row) -> Reacting:
    try:
        terms = msgspec.convert({key: value for key, value in row.items() if key in KEYS}, _Terms)
    except msgspec.ValidationError as error:
        if "`$.mode`" in str(error):
            what = f"reactions[{number}]: mode is {row['mode']!r}."
            raise ReactionError(what, f"Set it to one of {', '.join(get_args(Mode))}.") from None
        raise ReactionError(
            f"reactions[{number}]: {plain(error)}.", f"A row has {', '.join(KEYS)} and parameters."
        ) from None
    reaction = REACTIONS.get(terms.do)
    if reaction is None:
        raise ReactionError(*REACTIONS.describe_unknown(terms.do))
    parameters = {key: value for key, value in row.items() if key not in KEYS}
    made = build_with(f"the reaction '{terms.do}'", reaction, parameters, ReactionError)
    on = (terms.on,) if isinstance(terms.on, str) else tuple(terms.on)
    remedy = f"Set on to {', '.join(ON)}, a detector, feature:NAME or guard:NAME."
    if not on:
        raise ReactionError(f"reactions[{number}] reacts to nothing.", remedy)
    for word in on:
        if not _is_known(word):
            raise ReactionError(f"reactions[{number}]: there is nothing like '{word[:80]}' to react to.", remedy)
    mode = terms.mode or ("recommend" if reaction.changes else "auto")
    return Reacting(f"{number} {terms.do}", made, on, mode, terms.budget, terms.cooldown)


def _only_admits(guard: type[Guard]) -> bool:
    return guard.admits and not guard.asks


def _is_known(word: str) -> bool:
    of, _, name = word.partition(":")
    if name:
        return of == "feature" or (of == "guard" and name in GUARDS and not _only_admits(GUARDS[name]))
    return word in ON or word in DETECTORS


def reactings(task: Task) -> tuple[Reacting, ...]:
    """Read a task's `reactions`, and what its guards ask for.

    Raises
    ------
    ReactionError
        A row names no reaction, or a parameter that it has not, or a detector, a feature or a guard that the task does not have.

    Examples
    --------
    >>> [(one.name, one.mode) for one in reactings(Task(name="ads", kind="binary"))][:3]
    [('0 hold', 'auto'), ('1 alert', 'auto'), ('guard degraded', 'recommend')]
    """
    read = _read(msgspec.msgpack.encode(task.reactions), task.guard.mode)
    watched, guards = watchings(task), guards_of(task)
    detectors = {str(one.spec["use"]) for one in watched}
    series = {what for one in watched for what in one.watched}
    for number, reacting in enumerate(read[: len(task.reactions)]):
        for word in reacting.on:
            of, _, name = word.partition(":")
            if word in DETECTORS and word not in detectors:
                what, remedy = f"the task has no detector '{word}'", "Add it to detectors, or react to what there is."
            elif of == "feature" and not series & {word, "features"}:
                what, remedy = f"no detector watches {word[:80]}", f'Add a detector with watch = "{word[:80]}".'
            elif of == "guard" and name and name not in guards:
                what, remedy = (
                    f"the task has no guard '{name}'",
                    "Set it in the table guard, or react to what there is.",
                )
            else:
                continue
            raise ReactionError(f"reactions[{number}] would never act: {what}.", remedy)
    return read
