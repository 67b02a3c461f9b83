"""Says the verdict of an experiment in words, for the command line and the report."""

from headrace.learning.task import Json

SAID = {
    "a_better": "{a} is better",
    "b_better": "{b} is better",
    "equivalent": "equivalent",
    "budget_exhausted": "not told apart",
    "continue": "too early to say",
}
"""The verdicts in words."""


def say_verdict(experiment: dict[str, Json]) -> str:
    """Say the verdict of an experiment, as `GET /v1/{task}/experiments` has it.

    Examples
    --------
    >>> say_verdict({"a": "champion", "b": "batch", "verdict": "a_better"})
    'champion is better'
    """
    return SAID[experiment["verdict"]].format(**experiment)
