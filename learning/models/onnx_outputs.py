"""What a batch model has given, read as probabilities or as a number: whatever is neither is found out, and not taken for an answer."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from headrace.learning.errors import ModelError
from headrace.learning.task import Label

TOLERANCE = 1e-3
"""How far probabilities may lie outside of 0 and 1, and their sum from 1: those of quantized and 16-bit models are rounded."""

LABEL_KINDS = "biuSUO"
"""The kinds of NumPy's types that a predicted class may have: truth values, whole numbers, strings."""

CLASSES = "Train it with the classes 0 and 1 for false and true, or for several classes with the labels of the task in their order."
SOFTMAX = "Export its probabilities: a sigmoid or softmax as its last step."


def read_probabilities(outputs: Sequence[Any], labels: Sequence[Label]) -> list[float] | None:
    """Read the probability of each label from the last output for one row; None if one is not finite.

    Parameters
    ----------
    outputs
        The outputs for one row, as onnxruntime gives them: a tensor of floats with a column for each label, or for two labels with one
        column of the second one; or a list of one dict of probabilities by label. If the first of several outputs is the predicted class,
        it must be one of the labels, or the place of one.
    labels
        The labels of the task in their order.

    Raises
    ------
    ModelError
        The outputs are of no such form, or no probabilities of these labels.

    Examples
    --------
    >>> read_probabilities([np.array([[0.25]], np.float32)], [False, True])
    [0.75, 0.25]
    >>> read_probabilities([np.array([1]), [{0: 0.25, 1: 0.75}]], [False, True])
    [0.25, 0.75]
    >>> read_probabilities([np.array([[-1.5, 2.0]], np.float32)], [False, True])
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: its last output has -1.5, 2, which are no probabilities: logits or scores. Export its probabilities: a sigmoid or softmax as its last step.
    """
    last = outputs[-1]
    shares = _by_label(last, labels) if isinstance(last, list) else _by_column(last, labels)
    said = read_class(outputs)
    if said is not None and place_of(said, labels) is None:
        raise ModelError(
            f"it predicts the class {said!r}, and the task has {', '.join(map(repr, map(_number_if_bool, labels)))}.",
            CLASSES,
        )
    if not all(map(math.isfinite, shares)):
        return None
    if min(shares) < -TOLERANCE or max(shares) > 1 + TOLERANCE:
        what = f"its last output has {_few(shares)}, which are no probabilities: logits or scores."
        raise ModelError(what, SOFTMAX)
    if abs(sum(shares) - 1) > TOLERANCE:
        raise ModelError(f"its last output has {_few(shares)}, whose sum is {sum(shares):.4g} and not 1.", SOFTMAX)
    return [min(max(share, 0.0), 1.0) for share in shares]


def read_number(outputs: Sequence[Any]) -> float | None:
    """Read the number of a regression from the first output for one row; None if it is not finite. ModelError if it is not one number.

    Examples
    --------
    >>> read_number([np.array([[2.5]], np.float32)])
    2.5
    """
    first = outputs[0]
    if isinstance(first, list) or first.dtype.kind != "f" or first.size != 1:
        raise ModelError(f"its first output is {_form(first)}, not one number.", "Export a regression with one target.")
    value = float(first.ravel()[0])
    return value if math.isfinite(value) else None


def read_class(outputs: Sequence[Any]) -> Label | None:
    """Read the predicted class, which classifiers of scikit-learn and XGBoost give before the probabilities; None if there is none."""
    first = outputs[0]
    if len(outputs) < 2 or isinstance(first, list) or first.size != 1 or first.dtype.kind not in LABEL_KINDS:
        return None
    return _plain(first.ravel()[0])


def place_of(said: Label, labels: Sequence[Label]) -> int | None:
    """Find the column of a predicted class: that of the label, or where the labels are strings and it is a number, that number itself.

    Examples
    --------
    >>> place_of(1, [False, True]), place_of(2, ["red", "green", "blue"]), place_of(-1, [False, True])
    (1, 2, None)
    """
    if said in labels:  # 0 and 1 are equal to False and True
        return labels.index(said)
    is_place = isinstance(said, int) and isinstance(labels[0], str) and 0 <= said < len(labels)
    return int(said) if is_place else None


def _by_label(last: list[Any], labels: Sequence[Label]) -> list[float]:
    """Read a dict of probabilities by label, or by the place of a label: what ZipMap makes, the last step of exports of scikit-learn and LightGBM.

    A label without rows has no entry.
    """
    if len(last) != 1 or not isinstance(last[0], dict):
        raise ModelError(f"its last output is {_form(last)}, not a dict of probabilities for one row.", SOFTMAX)
    shares = [0.0] * len(labels)
    for label, share in last[0].items():
        place = place_of(_plain(label), labels)
        if place is None:
            has = ", ".join(repr(_number_if_bool(label)) for label in labels)
            raise ModelError(f"it has the class {_plain(label)!r}, and the task has {has}.", CLASSES)
        shares[place] = float(share)
    return shares


def _by_column(last: Any, labels: Sequence[Label]) -> list[float]:
    """Read a tensor with a column for each label, or with one column of the second of two."""
    if last.dtype.kind != "f":
        what = f"its last output is {_form(last)}, and probabilities are floats."
        raise ModelError(what, "Export its probabilities as the last output, not only the predicted class.")
    shares: list[float] = last.ravel().tolist()
    if len(labels) == 2 and len(shares) == 1:
        return [1.0 - shares[0], shares[0]]
    if len(shares) != len(labels):
        raise ModelError(
            f"its last output is {_form(last)}, and the task has {len(labels)} labels.",
            "Export one column for each label of the task, in their order.",
        )
    return shares


def _form(output: Any) -> str:
    if isinstance(output, list):
        return f"a list of {len(output)}"
    return f"a tensor of {output.dtype.name} with the shape {' x '.join(map(str, output.shape)) or '1'}"


def _few(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.4g}" for share in shares[:5]) + (", ..." if len(shares) > 5 else "")


def _plain(label: Any) -> Label:
    plain: Label = label.item() if isinstance(label, np.generic) else label
    return plain


def _number_if_bool(label: Label) -> Label:
    return int(label) if isinstance(label, bool) else label
