"""A committee: models of several kinds, each heard as much as it was right. It is the model to begin with where nothing is known."""

from river import base, naive_bayes

from headrace.learning.features.target import Target
from headrace.learning.models.adaptive_forest import AdaptiveForest
from headrace.learning.models.experts import (
    ExpertsClassifier,
    ExpertsRegressor,
    linear_experts,
    logistic_experts,
    softmax_experts,
)
from headrace.learning.models.hoeffding import AdaptiveTreeClassifier, TreeRegressor
from headrace.learning.models.mondrian import MEGABYTES, MondrianRegressor
from headrace.learning.models.preparing import Features, Numbers, Prepared, Scale
from headrace.learning.parameters import Seed, Share
from headrace.learning.tags import tagged
from headrace.learning.task import Label

TREES = 10
"""The trees of a forest in the committee."""

BITS = 12
"""The mean labels of a string's values are kept in two to this power cells."""


@tagged("scale-and-target/1", targets=dict[str, Target])
class ScaleAndTarget(base.Transformer):
    """Scales as `Scale` does, and gives each string feature a number beside its columns: the mean label of its value so far.

    Linear models learn from the columns, and trees, which can split at no value of 1, from the number.

    Examples
    --------
    >>> step = ScaleAndTarget()
    >>> for country, label in [("PT", True), ("ES", False)] * 50:
    ...     numbers = step.learn_transform_one({"country": country}, label)
    >>> [name for name in numbers]
    ['country=ES', '=^country']
    >>> numbers["=^country"] < 0 < step.transform_one({"country": "PT"})["=^country"]
    True
    """

    def __init__(self) -> None:
        self.scale = Scale()
        self.scale_of_means = Scale()
        self.targets: dict[str, Target] = {}

    def transform_one(self, x: Features) -> Numbers:
        """Return the scaled features of a record, with the mean labels."""
        return self.scale.transform_one(x) | _named(self.scale_of_means.transform_one(self._means(x)))

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:
        """Do the same, and learn the record; the mean labels learn it afterwards."""
        numbers = self.scale.learn_transform_one(x) | _named(self.scale_of_means.learn_transform_one(self._means(x)))
        if y is not None:
            for name, value in x.items():
                if isinstance(value, str):
                    if name not in self.targets:
                        self.targets[name] = Target(bits=BITS)
                    self.targets[name].learn(value, x, y)
        return numbers

    def _means(self, x: Features) -> Features:
        return {
            name: self.targets[name].transform("", value, x)[""]
            for name, value in x.items()
            if isinstance(value, str) and name in self.targets
        }


def _named(means: Numbers) -> Numbers:
    """Give mean labels names that no feature has: others that begin with a `=` go on with a digit, `#` or `~`."""
    return {f"=^{name}": mean for name, mean in means.items()} if means else means


def committee_binary(share: Share = 0.001, seed: Seed = 42) -> Prepared:
    """Make a committee for two classes: five logistic regressions with learning rates from 0.001 to 0.5, a naive Bayes, an adaptive tree and an adaptive forest.

    Parameters
    ----------
    share
        The part of the weights that is shared out anew with each record: how soon another member can take the lead.
    seed
        The seed of the random numbers, whose generators are part of the state.

    Examples
    --------
    >>> model = committee_binary()
    >>> for number in range(300):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0})
    True
    """
    others = [naive_bayes.GaussianNB(), AdaptiveTreeClassifier(seed=seed), AdaptiveForest(n_models=TREES, seed=seed)]
    return Prepared(ScaleAndTarget(), ExpertsClassifier([*logistic_experts(), *others], share))


def committee_multiclass(share: Share = 0.001, seed: Seed = 42) -> Prepared:
    """Make a committee for several classes: as for two, with softmax regressions, and no mean labels. See `committee_binary` for the parameters.

    Examples
    --------
    >>> model = committee_multiclass()
    >>> for number in range(300):
    ...     model.learn_one({"size": float(number % 3)}, "abc"[number % 3])
    >>> model.predict_one({"size": 2.0})
    'c'
    """
    others = [naive_bayes.GaussianNB(), AdaptiveTreeClassifier(seed=seed), AdaptiveForest(n_models=TREES, seed=seed)]
    return Prepared(Scale(), ExpertsClassifier([*softmax_experts(), *others], share))


def committee_regression(share: Share = 0.001, seed: Seed = 42) -> Prepared:
    """Make a committee for a regression: five linear regressions with learning rates from 0.001 to 0.5, a Hoeffding tree and a Mondrian forest. See `committee_binary` for the parameters.

    Examples
    --------
    >>> model = committee_regression()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10) + 5)
    >>> round(model.predict_one({"size": 4.0}))
    17
    """
    others = [TreeRegressor(), MondrianRegressor(TREES, seed, MEGABYTES)]
    return Prepared(ScaleAndTarget(), ExpertsRegressor([*linear_experts(), *others], share))
