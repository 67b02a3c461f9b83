"""What a task says of its classes: how much each counts when it is learned, and what it costs to take one for another."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

BALANCED: Literal["balanced"] = "balanced"

WEIGHT_MAX = 100.0
"""The largest weight of a class: a record is learned as often as its class weighs."""

COSTS_MAX = 1_000

ClassLabel = str | int

Weight = Annotated[float, Meta(gt=0, le=WEIGHT_MAX)]

Weights = Literal["balanced"] | Annotated[dict[str, Weight], Meta(min_length=1, max_length=1_000)]

Label = bool | int | float | str

CostTable = dict[Label, dict[Label, float]]
"""By predicted label and true label, what it costs, where a task says it."""


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of `costs`: what it costs to predict one label where another is true.

    Parameters
    ----------
    label
        The true label.
    predicted
        The predicted label.
    cost
        What that costs, in any unit. A pair without a row costs 1, and a right prediction 0.
    """

    label: ClassLabel
    predicted: ClassLabel
    cost: Annotated[float, Meta(ge=0, le=1e9)]


def cost_table(costs: Iterable[Cost]) -> CostTable:
    """Arrange costs by predicted and by true label.

    Examples
    --------
    >>> cost_table([Cost("fraud", "ok", 20.0), Cost("spam", "ok", 2.0)])
    {'ok': {'fraud': 20.0, 'spam': 2.0}}
    """
    table: CostTable = {}
    for one in costs:
        table.setdefault(one.predicted, {})[one.label] = one.cost
    return table


def cost_of(table: Mapping[Label, Mapping[Label, float]], predicted: Label, label: Label) -> float:
    """Return what a prediction costs.

    Examples
    --------
    >>> table = cost_table([Cost("fraud", "ok", 20.0)])
    >>> cost_of(table, "ok", "fraud"), cost_of(table, "fraud", "ok"), cost_of(table, "ok", "ok")
    (20.0, 1.0, 0.0)
    """
    named = table.get(predicted, {}).get(label)
    return float(predicted != label) if named is None else named


def name_label(label: Label) -> str:
    """Write a label as the key of a table in TOML or JSON: `True` is `true`.

    Examples
    --------
    >>> name_label(True), name_label(7), name_label("spam")
    ('true', '7', 'spam')
    """
    return str(label).lower() if isinstance(label, bool) else str(label)


def is_weights(text: object) -> bool:
    """Tell whether weights, as what a model is made of has them, can be.

    Examples
    --------
    >>> is_weights("balanced"), is_weights('{"true": 5}'), is_weights('{"true": 0}'), is_weights(5)
    (True, True, False, False)
    """
    try:
        return text == BALANCED or bool(msgspec.json.decode(str(text), type=dict[str, Weight]))
    except msgspec.MsgspecError:
        return False


def find_weight_fault(
    kind: str, labels: list[ClassLabel] | None, weights: Weights | None, negatives: float | None
) -> str | None:
    """Say why weights cannot be: they are for another kind of task, or name a label that the task has not; None if they can.

    Examples
    --------
    >>> find_weight_fault("regression", None, "balanced", None)
    'weights is not for regression tasks'
    >>> find_weight_fault("multiclass", ["ok", "spam"], {"spma": 2.0}, None)
    "weights names the label 'spma', which the task has not. It has ok, spam"
    """
    if weights is None:
        return None
    if kind not in ("binary", "multiclass"):
        return f"weights is not for {kind} tasks"
    if negatives is not None:
        return "weights and negatives both say how much is learned of a class: leave one out"
    known = ["false", "true"] if kind == "binary" else [name_label(label) for label in labels or ()]
    named = {} if weights == BALANCED else weights
    if known and (strange := next((name for name in named if name not in known), None)) is not None:
        return f"weights names the label '{strange}', which the task has not. It has {', '.join(known)}"
    return None


def find_cost_fault(kind: str, labels: list[ClassLabel] | None, costs: list[Cost]) -> str | None:
    """Say why costs cannot be: they are for another kind of task, or name a label that the task has not, or a pair twice; None if they can.

    Examples
    --------
    >>> find_cost_fault("binary", None, [Cost("a", "b", 2.0)])
    'costs is for multiclass tasks: for two classes, use threshold with false_positive and false_negative'
    """
    if not costs:
        return None
    if kind != "multiclass":
        remedy = ": for two classes, use threshold with false_positive and false_negative"
        return f"costs is for multiclass tasks{remedy if kind == 'binary' else f', and this is a task of {kind}'}"
    named = [label for one in costs for label in (one.label, one.predicted)]
    if labels is not None and (strange := next((label for label in named if label not in labels), None)) is not None:
        return f"costs names the label {strange!r}, which the task has not. It has {', '.join(map(name_label, labels))}"
    if len(set(map(type, named))) > 1:
        return "costs names strings and whole numbers as labels, and a task has one of the two"
    pairs = Counter((one.label, one.predicted) for one in costs)
    if twice := next((pair for pair, count in pairs.items() if count > 1), None):
        return f"costs says twice what it costs to predict {twice[1]!r} for {twice[0]!r}"
    return None
