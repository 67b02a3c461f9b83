"""What a task of anomalies cannot have: it learns without labels, so there is no error to watch, and nothing to compare models by."""

from collections.abc import Callable, Mapping
from typing import Any

from headrace.learning.task.policies import DETECTORS, REACTIONS, Guard, Row

USUAL: dict[str, tuple[Any, Any]] = {
    "detectors": (list(DETECTORS), [{"use": "adwin", "watch": "score"}]),
    "reactions": (list(REACTIONS), [{"do": "alert", "on": ["score", "features"]}]),
    "guard": (Guard(), Guard(against=[], label_rate=False)),
}
"""Each setting whose default does not fit, with that default and what stands in its place."""


def usual(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in a task of anomalies in place of settings that were left out, by their names.

    Examples
    --------
    >>> usual({"detectors": [], "reactions": list(REACTIONS), "guard": Guard(every=5)})
    {'reactions': [{'do': 'alert', 'on': ['score', 'features']}]}
    """
    return {name: fitting for name, (default, fitting) in USUAL.items() if settings[name] == default}


def find_unfit(settings: Mapping[str, Any]) -> str | None:
    """Say which setting does not fit a task of anomalies, and why; None if all fit."""
    for name, (is_unfit, why) in UNFIT.items():
        if is_unfit(settings[name]):
            return f"{name} is not for anomaly tasks: {why}. Leave it out"
    return None


def _compares_errors(reactions: list[Row]) -> bool:
    return any(row.get("do") == "background" for row in reactions)


def _has_batch_model(arms: Mapping[str, Any]) -> bool:
    return any(getattr(arm, "onnx", None) is not None for arm in arms.values())


def _learns_labels(features: Mapping[str, Any] | None) -> bool:
    steps = [one.step for one in (features or {}).values()]
    return any((step.get("use") if isinstance(step, dict) else step) == "target" for step in steps)


UNFIT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "guard": (
        lambda guard: bool(guard != USUAL["guard"][1]),
        "a guard compares errors, labels, or what may be learned",
    ),
    "experiments": (bool, "an experiment compares errors"),
    "unanswered": (lambda policy: bool(policy != "drop"), "a record is learned when it comes, and its label never is"),
    "update": (lambda update: update is not None, "a record is learned when it comes, not with others"),
    "rehearsal": (lambda rehearsal: rehearsal is not None, "a record is learned when it comes, once"),
    "reactions": (_compares_errors, "the reaction background compares errors"),
    "arms": (_has_batch_model, "a batch model (onnx) predicts labels"),
    "features": (_learns_labels, "the step target learns labels"),
}
"""Each setting that may not fit: whether it does not, and why."""
