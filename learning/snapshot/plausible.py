"""Checks a decoded state against a new one, attribute by attribute, because the writer of a snapshot may have put in anything."""

from collections import deque
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from river.base import Base

from headrace.learning.arms import Arm
from headrace.learning.errors import HeadraceError, ModelError
from headrace.learning.experiments import Segment
from headrace.learning.guards.outlier import OutlierGuard, Spread
from headrace.learning.models.likeness import check_like
from headrace.learning.models.named import require_named
from headrace.learning.plain import plain
from headrace.learning.reactions import reactings
from headrace.learning.recipe import decode_without
from headrace.learning.records.labels import LabelType
from headrace.learning.records.mark import Mark
from headrace.learning.signals import Signal, SignalParts
from headrace.learning.snapshot.header import Sum
from headrace.learning.state import State
from headrace.learning.tags import OURS, Count, contents_of
from headrace.learning.task import Role, Task, made_for, under
from headrace.learning.versions import Version
from headrace.learning.waiting.batch import LabelledFeatures
from headrace.learning.waiting.join import MODULUS
from headrace.learning.waiting.order import HeldRecord
from headrace.learning.watch import FeatureWatch, RecordWatches, watchings

Plain = bool | int | float | str

PART = 1_000
"""The number of entries that are checked in one call of msgspec, which holds the GIL: there can be a million names."""

CONTENTS: dict[tuple[str, str], Any] = {
    ("State", "last"): tuple[Count, int, Sum] | None,
    ("State", "begun_at"): Count | None,
    ("State", "sources"): dict[str, tuple[Count, Count]],
    ("State", "probes"): list[dict[str, Plain]],
    ("State", "label_type"): LabelType | None,
    ("State", "labels"): dict[Plain, None] | None,
    ("State", "definition"): bytes,
    ("State", "begun_by"): Sum,
    ("State", "defined_at"): Count | None,
    ("State", "controls"): dict[str, str],
    ("State", "paused"): str | None,
    ("State", "forgotten"): dict[str, Count],
    ("State", "jobs"): dict[str, bytes],
    ("State", "left_out"): bytes,
    ("State", "signals"): list[SignalParts],
    ("State", "unseen"): list[Plain],
    ("State", "acts"): dict[str, list[Count]],
    ("Arm", "made_of"): str | dict[str, Plain],
    ("Arm", "role"): Role,
    ("Arm", "version"): str | None,
    ("Scoreboard", "window"): list[tuple[Plain, Plain, Annotated[float, Meta(ge=0, le=1)] | None]],
    ("JoinState", "oldest"): tuple[Count, Count] | None,
    ("JoinState", "delays"): list[Count],
    ("JoinState", "checksum"): Annotated[int, Meta(ge=0)],
    ("OrderState", "held"): list[tuple[int, int, Count, Count, bytes | None, bytes]],
    ("BatchState", "rows"): list[tuple[dict[str, Plain], Plain]],
}
"""The type of an attribute, by class and attribute name, if a new state does not show it. Metrics and detectors declare theirs with tags."""

TUPLES: dict[tuple[str, str], type] = {
    ("State", "last"): Mark, ("State", "signals"): Signal, ("OrderState", "held"): HeldRecord, ("BatchState", "rows"): LabelledFeatures,
}  # fmt: skip
"""The class of the named tuples in an attribute, by class and attribute name; their values are checked as plain tuples."""


def check(state: Any, task: Task, modules: Collection[str]) -> None:
    """Compare a decoded state with a fresh one of the same definition and arms.

    Parameters
    ----------
    state
        The decoded state.
    task
        The task whose state it should be.
    modules
        The modules of the user's own whose functions may make a model.

    Raises
    ------
    ValueError
        An attribute cannot be right; the message names the first such attribute.
    """
    fresh = _fresh(state, task, modules)
    _check_attributes(state, fresh)
    if any(type(version) is not Version or name != version.id for name, version in state.versions.saved.items()):
        raise ValueError("VersionIndex.saved holds other things")
    for known in _parts(state.names):
        _convert(dict.fromkeys(known), dict[str, None], ("State", "names"))
        for values in known.values():
            if values is not None:
                _convert(values, dict[str, None], ("State", "names"))
    try:
        decode_without(state.left_out)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"State.left_out: {plain(error)}") from None
    if state.join.checksum >= MODULUS:
        raise ValueError("JoinState.checksum is no checksum")


def _fresh(state: Any, task: Task, modules: Collection[str]) -> State:
    """Make a state before the first record, by the definition and with the arms that the state says it has."""
    held = vars(state) if type(state) is State else {}
    definition, arms = held.get("definition"), held.get("arms")
    if type(definition) is not bytes or type(arms) is not dict or "champion" not in arms:
        raise ValueError("there is no State where one should be")
    try:
        task = under(task, definition)
        require_named(task.model, modules)
        watchings(task)
        reactings(task)
    except HeadraceError as error:
        raise ValueError(f"State.definition: {error.what}") from None
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise ValueError(f"State.definition: {plain(error)}") from None
    fresh = State(task)
    fresh.arms = {}
    for name, arm in arms.items():
        said: dict[str, Any] = vars(arm) if type(arm) is Arm else {}
        made_of: Any = said.get("made_of")
        role = said.get("role")
        _convert(name, str, ("State", "arms"))
        _convert(made_of, CONTENTS["Arm", "made_of"], ("Arm", "made_of"))
        _convert(role, CONTENTS["Arm", "role"], ("Arm", "role"))
        try:
            require_named(made_of, modules)
        except ModelError as error:
            raise ValueError(f"Arm.made_of: {error.what}") from None
        fresh.arms[name] = Arm(made_for(task, made_of), msgspec.convert(role, Role))
    _watch_features(state, fresh)
    _spread_features(state, fresh)
    _segment_values(state, fresh)
    return fresh


def _segment_values(state: Any, fresh: State) -> None:
    """Have the segments of a fresh state know the values that the state says they know."""
    segments = vars(state).get("segments")
    for name, segment in fresh.segments.items():
        held = segments.get(name) if type(segments) is dict else None
        known = vars(held).get("scores") if type(held) is Segment else {}
        for value in known if type(known) is dict else ():
            _convert(value, str, ("Segment", "scores"))
            segment.of(value)


def _spread_features(state: Any, fresh: State) -> None:
    """Have the guard of outliers of a fresh state know the features that the state says it knows."""
    guards, guard = vars(state).get("guards"), fresh.guards.get(OutlierGuard.name)
    held = guards.get(OutlierGuard.name) if type(guards) is dict else None
    if type(held) is OutlierGuard and type(guard) is OutlierGuard:
        spreads = vars(held).get("spreads")
        for name in spreads if type(spreads) is dict else ():
            _convert(name, str, ("OutlierGuard", "spreads"))
            guard.spreads[name] = Spread()


def _watch_features(state: Any, fresh: State) -> None:
    """Have a fresh state watch the features that the state says it watches."""
    watched = vars(held).get("features") if type(held := vars(state).get("watches")) is RecordWatches else {}
    for name, watch in fresh.watches.features.items():
        held = watched.get(name) if type(watched) is dict else None
        known = vars(held).get("watches") if type(held) is FeatureWatch else {}
        for feature in known if type(known) is dict else ():
            _convert(feature, str, ("FeatureWatch", "watches"))
            watch.watch(feature)


def _check_attributes(value: Any, fresh: Any) -> None:
    """Compare an object of Headrace's with a new one, attribute by attribute."""
    kind = type(fresh).__name__
    if type(value) is not type(fresh) or vars(value).keys() != vars(fresh).keys():
        raise ValueError(f"there is no {kind} where one should be")
    contents = contents_of(type(fresh))
    for name, wanted in vars(fresh).items():
        place = kind, name
        _check_value(vars(value)[name], wanted, place, contents.get(name) or CONTENTS.get(place))


def _check_value(value: Any, fresh: Any, place: tuple[str, str], contents: Any) -> None:
    """Compare one attribute with that of a fresh object, or with the type of its contents where one is declared."""
    if contents is not None:
        _check_contents(value, fresh, place, contents)
    elif type(value) is not type(fresh):
        raise ValueError(f"{'.'.join(place)} is of the type {type(value).__name__}")
    elif isinstance(fresh, Base):
        check_like(value, fresh)
    elif type(fresh) is int:
        _convert(value, Count, place)
    elif type(fresh) is dict and place != ("State", "names"):
        if value.keys() != fresh.keys():
            raise ValueError(f"{'.'.join(place)} has other names")
        for name, one in fresh.items():
            if type(one).__module__.startswith(OURS):
                _check_attributes(value[name], one)
            elif type(value[name]) is not type(one) or value[name] != one:  # a detector's parameter
                raise ValueError(f"{'.'.join(place)} has another '{name}'")
    elif type(fresh).__module__.startswith(OURS):
        _check_attributes(value, fresh)


def _check_contents(value: Any, fresh: Any, place: tuple[str, str], contents: Any) -> None:
    if type(fresh) is deque:
        if type(value) is not deque or value.maxlen != fresh.maxlen:
            raise ValueError(f"{'.'.join(place)} is no window")
        value = list(value)
    if place in TUPLES and value is not None:
        held = value if type(value) is list else [value]
        if any(type(one) is not TUPLES[place] for one in held):
            raise ValueError(f"{'.'.join(place)} holds other things")
    _convert(value, contents, place)


def _convert(value: Any, wanted: Any, place: tuple[str, str]) -> None:
    """Raise ValueError, naming the class and attribute, unless a value has a type; check it part by part."""
    try:
        for part in _parts(value):
            msgspec.convert(part, wanted)
    except msgspec.ValidationError as error:
        raise ValueError(f"{'.'.join(place)}: {plain(error)}") from None


def _parts(value: Any) -> Iterator[Any]:
    """Yield a dict or a list in parts, and anything else whole."""
    if type(value) is dict and len(value) > PART:
        entries = iter(value.items())
        while part := dict(islice(entries, PART)):
            yield part
    elif type(value) is list and len(value) > PART:
        for at in range(0, len(value), PART):
            yield value[at : at + PART]
    else:
        yield value
