"""The label with the lowest expected cost: what an arm predicts if errors of some kinds cost more than others."""

from collections.abc import Sequence
from math import fsum

from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Cost, Label, cost_table


@tagged("lowest-cost/1")
class LowestCost:
    """Decides between classes by their probabilities and by what it costs to take one for another.

    Parameters
    ----------
    costs
        The costs of the task. A pair that they do not name costs 1, and a right prediction 0.

    Attributes
    ----------
    costs
        The costs by predicted and by true label.

    Examples
    --------
    >>> decision = LowestCost([Cost(label="fraud", predicted="ok", cost=20.0)])
    >>> decision.decide({"ok": 0.9, "fraud": 0.1}), decision.decide({"ok": 0.97, "fraud": 0.03})
    ('fraud', 'ok')
    """

    def __init__(self, costs: Sequence[Cost]):
        self.costs = cost_table(costs)

    def decide_on(self, prediction: Prediction) -> Prediction:
        """Decide by the probabilities of a prediction; one without them stays as it is."""
        if prediction.probabilities is None:
            return prediction
        return Prediction(self.decide(prediction.probabilities), prediction.probabilities)

    def decide(self, probabilities: dict[Label, float]) -> Label:
        """Return the label with the lowest expected cost; of several the most probable one, and the first of those."""
        every = fsum(probabilities.values())

        def rank(label: Label) -> tuple[float, float]:
            p = probabilities[label]
            named = [
                probabilities.get(true, 0.0) * (cost - (true != label))
                for true, cost in self.costs.get(label, {}).items()
            ]
            return fsum((every, -p, *named)), -p

        return min(probabilities, key=rank)
