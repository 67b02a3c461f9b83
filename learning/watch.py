"""A watch: a detector on one series, such as the errors of an arm or the values of a feature."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from headrace.learning.drift import Adwin, Change, Detector, Series, make_detector
from headrace.learning.errors import DetectorError
from headrace.learning.signals import Direction, Notice
from headrace.learning.tags import tagged
from headrace.learning.task import Kind, Label, Row, Task, Value

FEATURES_MAX = 100
"""The features of a task without declared ones that are watched: the first ones that come."""

SHARES: frozenset[Series] = frozenset({"shares"})
ERRORS: frozenset[Series] = frozenset({"errors"})
NUMBERS: frozenset[Series] = frozenset({"numbers"})
STRINGS: frozenset[Series] = frozenset({"strings"})
NONE: frozenset[Series] = frozenset()

WATCHED = ("error", "score", "label_rate", "features")
"""What a detector may watch, besides `feature:NAME`."""


class Watching(NamedTuple):
    """One of a task's `detectors`, read.

    Parameters
    ----------
    name
        Unique in the task: its number and the name of the detector.
    spec
        The detector, with its parameters.
    watched
        What it watches.
    every_arm
        Whether it watches each arm that learns, and not the champion alone.
    """

    name: str
    spec: Row
    watched: tuple[str, ...]
    every_arm: bool


def watchings(task: Task) -> tuple[Watching, ...]:
    """Read a task's `detectors`.

    Raises
    ------
    DetectorError
        There is no such detector, it has not such a parameter, or it cannot watch that.

    Examples
    --------
    >>> watchings(Task(name="ads", kind="binary"))[0]
    Watching(name='0 adwin', spec={'use': 'adwin'}, watched=('error',), every_arm=False)
    """
    return tuple(_read(task, number, row) for number, row in enumerate(task.detectors))


SERIES: dict[str, dict[Kind, frozenset[Series]]] = {
    "error": {"binary": SHARES, "multiclass": SHARES, "regression": ERRORS, "anomaly": NONE},
    "score": {"binary": SHARES, "multiclass": SHARES, "regression": NUMBERS, "anomaly": NUMBERS},
    "label_rate": {"binary": SHARES, "multiclass": SHARES | STRINGS, "regression": NUMBERS, "anomaly": SHARES},
}
"""What a series consists of, by what is watched and the kind of task: a detector must take one of these."""


def _read(task: Task, number: int, row: Row) -> Watching:
    use, watch = row.get("use"), row.get("watch", "error")
    watched = tuple(map(str, watch)) if isinstance(watch, list) else (str(watch),)
    if not watched:
        raise DetectorError(
            f"detectors[{number}] watches nothing.", f"Set watch to {', '.join(WATCHED)}, or feature:NAME."
        )
    for one in watched:
        if one not in WATCHED and not (one.startswith("feature:") and len(one) > len("feature:")):
            what = f"a detector cannot watch '{one[:80]}'."
            raise DetectorError(what, f"Set watch to {', '.join(WATCHED)}, or feature:NAME.")
    arms = row.get("arms", "champion")
    if arms not in ("champion", "all"):
        raise DetectorError(f"arms is {arms!r}.", "Set it to 'champion' or 'all'.")
    spec = {key: value for key, value in row.items() if key not in ("watch", "arms")}
    takes = make_detector(spec).takes
    for one in watched:
        of = _series(task, one)
        if not of:
            what = f"detectors[{number}]: a detector cannot watch the {one} of {task.kind} tasks, whose records need no label."
            raise DetectorError(what, 'Set watch to "score", "features" or "feature:NAME".')
        if not takes & of:
            what = (
                f"the detector '{use}' cannot watch {one} of a {task.kind} task, which is of {' or '.join(sorted(of))}: "
                f"it takes {', '.join(sorted(takes))} only."
            )
            raise DetectorError(what, "Use another detector for it.")
    return Watching(f"{number} {use}", spec, watched, arms == "all")


def _series(task: Task, watched: str) -> frozenset[Series]:
    """Tell what a series consists of: a feature that is not declared may be anything. DetectorError if there is no such feature."""
    if watched in SERIES:
        return SERIES[watched][task.kind]
    if task.features is None:
        return NUMBERS | STRINGS
    name = watched.removeprefix("feature:")
    if watched != "features" and name not in task.features:
        what = f"a detector cannot watch feature:{name[:80]}: the task declares no such feature."
        raise DetectorError(what, f"It declares {', '.join(task.features)[:200] or 'none'}.")
    declared = task.features.values() if watched == "features" else [task.features[name]]
    return frozenset[Series]().union(*(STRINGS if one.type == "string" else NUMBERS for one in declared))


@tagged("watch/1")
class Watch:
    """A detector on one series.

    Parameters
    ----------
    watched
        What the series is: `error`, `score`, `label_rate` or `feature:NAME`.
    spec
        The detector with its parameters.
    among
        The number of series that are tested side by side, for which a detector that tests hypotheses corrects itself.

    Examples
    --------
    >>> watch = Watch("error", {"use": "adwin"})
    >>> notices = [watch.update(0.1 if at < 1000 else 0.6, "champion") for at in range(1100)]
    >>> [(at, notice.direction, notice.kind) for at, notice in enumerate(notices) if notice][0]
    (1023, 'worse', 'drift')
    """

    def __init__(self, watched: str, spec: Row, among: int = 1):
        self.watched = watched
        self.detector: Detector = make_detector(spec, among)

    def update(self, value: float | str, arm: str | None) -> Notice | None:
        """Add one value; return what the detector has noticed."""
        change = self.detector.update(value)
        return None if change is None else self._notice(change, arm)

    def update_many(self, values: Sequence[float], arm: str | None) -> tuple[int, Notice | None]:
        """Add values until the detector notices something; return how many were added, and what it has noticed."""
        if isinstance(self.detector, Adwin):
            count, change = self.detector.update_many(values)
            return count, None if change is None else self._notice(change, arm)
        for count, value in enumerate(values, 1):
            if (notice := self.update(value, arm)) is not None:
                return count, notice
        return len(values), None

    def _notice(self, change: Change, arm: str | None) -> Notice:
        """Say what a change means."""
        direction: Direction = "changed"
        if self.watched == "error":
            direction = "worse" if change.is_oscillation or change.after > change.before else "better"
        return Notice(
            arm=arm,
            detector=self.detector.name,
            watched=self.watched,
            direction=direction,
            before=change.before,
            after=change.after,
            width_before=change.width_before,
            width=change.width,
            statistic=change.statistic,
            threshold=change.threshold,
            kind="warning" if change.is_warning else "oscillation" if change.is_oscillation else "drift",
        )

    def takes(self, value: Value) -> bool:
        """Tell whether the detector can be given such a value."""
        return ("strings" if isinstance(value, str) else "numbers") in self.detector.takes


@tagged("feature-watch/1", only=str | None)
class FeatureWatch:
    """A detector for each feature that it can watch.

    Parameters
    ----------
    spec
        The detector with its parameters.
    among
        The number of features that are watched side by side.
    only
        The only feature that is watched; None for all, up to `FEATURES_MAX` of those that come first.

    Attributes
    ----------
    watches
        The detector of each feature.
    """

    def __init__(self, spec: Row, among: int, only: str | None = None):
        self.spec = spec
        self.among = among
        self.only = only
        self.watches: dict[str, Watch] = {}

    def watch(self, feature: str) -> Watch | None:
        """Give the detector of a feature, and begin with a new one if there is room; None if it is not watched."""
        watch = self.watches.get(feature)
        if watch is None and len(self.watches) < FEATURES_MAX and self.only in (None, feature):
            watch = self.watches[feature] = Watch(f"feature:{feature}", self.spec, self.among)
        return watch

    def update(self, features: dict[str, Value]) -> Iterator[Notice]:
        """Add the values of a record."""
        for feature, value in features.items():
            watch = self.watch(feature)
            if watch is not None and watch.takes(value):
                notice = watch.update(value if isinstance(value, str) else float(value), None)
                if notice is not None:
                    yield notice


@tagged("record-watches/1", first=bool | int | float | str | None)
class RecordWatches:
    """The detectors that watch the records of a shard, whatever its arms answer: the labels and the features.

    Parameters
    ----------
    task
        The task, whose `detectors` say what is watched.

    Attributes
    ----------
    labels
        The detectors of the labels, by name.
    features
        The detectors of the features, by name.
    first
        The first label of a multiclass task: a detector that takes numbers sees which labels are equal to it.

    Examples
    --------
    >>> rows = [{"use": "adwin", "watch": ["label_rate", "feature:price"]}]
    >>> watches = RecordWatches(Task(name="ads", kind="binary", detectors=rows))
    >>> notices = [next(watches.see_features({"price": float(at >= 1000)}), None) for at in range(1100)]
    >>> [(at, notice.watched, notice.direction) for at, notice in enumerate(notices) if notice][0]
    (1023, 'feature:price', 'changed')
    """

    def __init__(self, task: Task):
        self.kind = task.kind
        self.first: Label | None = None
        self.labels: dict[str, Watch] = {}
        self.features: dict[str, FeatureWatch] = {}
        for name, spec, watched, _ in watchings(task):
            for what in watched:
                if what == "label_rate":
                    self.labels[name] = Watch(what, spec)
                elif what == "features":
                    self.features[name] = FeatureWatch(spec, len(task.features or ()) or FEATURES_MAX)
                elif what.startswith("feature:"):
                    self.features[f"{name} {what}"] = FeatureWatch(spec, 1, what.removeprefix("feature:"))

    def see_label(self, label: Label) -> Iterator[Notice]:
        """Add a label; yield what is noticed in their series."""
        if self.first is None:
            self.first = label
        for watch in self.labels.values():
            if self.kind != "multiclass":
                value: float | str = float(label)
            else:
                value = str(label) if watch.takes("") else float(label == self.first)
            if (notice := watch.update(value, None)) is not None:
                yield notice

    def see_features(self, features: dict[str, Value]) -> Iterator[Notice]:
        """Add the features of a record; yield what is noticed in the series of each."""
        for one in self.features.values():
            yield from one.update(features)
