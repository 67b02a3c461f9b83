"""Cost: the total, and the mean of a prediction."""

from headrace.learning.metrics.tallies import Costs


def total_cost(costs: Costs) -> float:
    """What all predictions have cost together, by the task's `costs`; only tasks that have them have this figure.

    Examples
    --------
    >>> from headrace.learning.task import Cost
    >>> costs = Costs([Cost(label="fraud", predicted="ok", cost=20.0)])
    >>> costs.update("fraud", "ok")
    >>> costs.update("ok", "ok")
    >>> total_cost(costs), mean_cost(costs)
    (20.0, 10.0)
    """
    return costs.total


def mean_cost(costs: Costs) -> float:
    """What a prediction has cost on average, by the task's `costs`; only tasks that have them have this figure."""
    return costs.total / costs.count
