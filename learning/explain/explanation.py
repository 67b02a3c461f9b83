"""The explanations: what a linear model adds up, and the way through a tree."""

import msgspec

from headrace.learning.task import Json, Label


class Contribution(msgspec.Struct, frozen=True):
    """What one feature adds to the score of a linear model: `weight * value`.

    Parameters
    ----------
    feature
        Its name behind the preparing step: a string feature is `name=text`.
    value
        Its value behind the preparing step, which may scale it.
    weight, contribution
        The weight, and the product of the two.
    """

    feature: str
    value: float
    weight: float
    contribution: float


class LinearExplanation(msgspec.Struct, frozen=True, tag_field="explains", tag="linear"):
    """Why a linear model predicts what it predicts.

    Parameters
    ----------
    score
        The intercept and all contributions, added up: the logit of a logistic regression, the prediction of a linear regression.
    intercept
        What is added whatever the features are.
    contributions
        The features, the one that matters most first.
    label
        Of a model with weights for each label: the label to which this score belongs, which is the predicted one.
    """

    score: float
    intercept: float
    contributions: list[Contribution]
    label: Label | None = None


class Branching(msgspec.Struct, frozen=True):
    """One branch on the way through a tree.

    Parameters
    ----------
    feature, value
        What is looked at: the feature, and its value behind the preparing step; None where the record lacks it.
    taken
        The condition of the branch that was taken, such as `price > 3.5`. A record that lacks the feature goes where most records went.
    """

    feature: str
    value: Json
    taken: str


class TreeExplanation(msgspec.Struct, frozen=True, tag_field="explains", tag="tree"):
    """The way from the root of a tree to the leaf that answers.

    Parameters
    ----------
    path
        The branches, from the root on; empty while the tree has none.
    weight
        The records that the leaf has learned.
    seen
        Of a classifier: how many of them had each label.
    """

    path: list[Branching]
    weight: float
    seen: dict[str, float]


Explanation = LinearExplanation | TreeExplanation
