"""The figures of an arm over all shards of a task, with the tables and curves behind them."""

import heapq
from collections.abc import Callable

import msgspec

from headrace.learning.metrics import Scoreboard, add_tallies, exact_tallies, new_tallies, read_figures
from headrace.learning.metrics.at_threshold import at_threshold
from headrace.learning.metrics.calibration import BINS, Bin, Murphy, decompose, equal_mass, equal_width, expected_error
from headrace.learning.metrics.f1 import f_beta
from headrace.learning.metrics.precision import precision
from headrace.learning.metrics.quantile_loss import quantile_loss
from headrace.learning.metrics.recall import recall
from headrace.learning.metrics.tallies import Confusion, Costs, Decisions, Errors, Groups, Probabilities, Scored
from headrace.learning.task import Json, Kind, Label

PAIRS_MAX = 400
"""The most pairs of a confusion table that are shown, the most frequent first: a thousand labels can have a million."""

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
"""The quantiles whose loss is shown."""


class Pair(msgspec.Struct, frozen=True):
    """How often a label met a predicted label."""

    label: Label
    predicted: Label
    count: int


class Calibration(msgspec.Struct, frozen=True):
    """The reliability curve of one way to make bins, the expected calibration error, and the decomposition of the Brier score by these bins."""

    bins: list[Bin]
    ece: float
    murphy: Murphy


class AtThreshold(msgspec.Struct, frozen=True):
    """The figures if True were predicted from a probability on."""

    threshold: float
    precision: float
    recall: float
    f1: float


class ArmFigures(msgspec.Struct, frozen=True):
    """The figures of an arm over several shards.

    Parameters
    ----------
    scored
        The number of scored predictions.
    metrics
        Every metric by name; those of the shards' moving windows together as `window`.
    confusion
        The pairs of labels that came, the most frequent first, at most 400; empty for a regression.
    calibration
        For two classes: `equal_width` and `equal_mass`, by their bins. None for other tasks, and before the first prediction.
    thresholds
        For two classes and for anomalies: precision, recall and F1 at each multiple of 1/16.
    quantile_losses
        For a regression: the quantile loss, by quantile.
    """

    scored: int
    metrics: dict[str, Json]
    confusion: list[Pair]
    calibration: dict[str, Calibration] | None
    thresholds: list[AtThreshold]
    quantile_losses: dict[str, float | None]


class Overall:
    """Adds up the scores of an arm on several shards. What is counted is exact; means of floats are exact but for rounding.

    Parameters
    ----------
    kind
        The kind of task.
    of_labels
        As for the scoreboards that are added.

    Attributes
    ----------
    scored
        The number of scored predictions.
    windows
        The moving window of each shard.

    Examples
    --------
    >>> from headrace.learning.prediction import Prediction
    >>> boards = Scoreboard("regression"), Scoreboard("regression")
    >>> boards[0].update(3.0, Prediction(2.0))
    >>> boards[1].update(5.0, Prediction(5.0))
    >>> overall = Overall("regression")
    >>> for board in boards:
    ...     overall.add(board)
    >>> overall.scored, overall.values()["mae"]
    (2, 0.5)
    """

    def __init__(self, kind: Kind, *, of_labels: bool = False):
        self.kind = kind
        self.scored = 0
        self.windows: list[tuple[Scored, ...]] = []
        self.tallies = new_tallies(kind, of_labels=of_labels)
        self.recent = exact_tallies(self.tallies)

    def add(self, board: Scoreboard) -> None:
        """Add the scores of the arm on one more shard; the shard's own stay as they are."""
        self._agree_on_costs(board)
        self.scored += board.scored
        self.windows.append(tuple(board.window))
        add_tallies(self.tallies, board.tallies)
        add_tallies(self.recent, board.recent())

    def _agree_on_costs(self, board: Scoreboard) -> None:
        """Add up costs while all shards count by the same: each changes its definition when it comes to it in its log."""
        held, ours = board.tallies.get(Costs.name), self.tallies.get(Costs.name)
        if not self.windows and isinstance(held, Costs):
            self.tallies[Costs.name], self.recent[Costs.name] = held.exact(), held.exact()
        elif isinstance(ours, Costs) and not (isinstance(held, Costs) and held.costs == ours.costs):
            del self.tallies[Costs.name], self.recent[Costs.name]

    def values(self) -> dict[str, Json]:
        """Return every metric by name, and those of the moving windows together as `window`."""
        figures: dict[str, Json] = read_figures(self.kind, self.tallies, self.scored)
        return figures | {"window": read_figures(self.kind, self.recent, sum(map(len, self.windows)))}

    def confusion(self) -> list[Pair]:
        """Return the pairs of labels that came, the most frequent first."""
        confusion = self.tallies.get(Confusion.name) or self.tallies.get(Decisions.name)
        if not isinstance(confusion, Confusion):
            return []
        pairs = [Pair(label, value, count) for label, row in confusion.counts.items() for value, count in row.items()]
        return heapq.nsmallest(PAIRS_MAX, pairs, key=lambda pair: (-pair.count, str(pair.label), str(pair.predicted)))

    def describe(self) -> ArmFigures:
        """Return the figures with the tables and curves behind them."""
        probabilities, errors = self.tallies.get(Probabilities.name), self.tallies.get(Errors.name)
        calibration: dict[str, Calibration] | None = None
        thresholds: list[AtThreshold] = []
        if self.scored and isinstance(probabilities, Probabilities):
            groups = probabilities.view()
            if self.kind == "binary":  # the scores of anomalies are no probabilities
                calibration = {
                    "equal_width": _calibration(groups, equal_width),
                    "equal_mass": _calibration(groups, equal_mass),
                }
            thresholds = [_at(groups, part / BINS) for part in range(1, BINS)]
        quantiles: dict[str, float | None] = {}
        if self.scored and isinstance(errors, Errors):
            quantiles = {str(one): quantile_loss(errors, one) for one in QUANTILES}
        return ArmFigures(self.scored, self.values(), self.confusion(), calibration, thresholds, quantiles)


def _calibration(groups: Groups, bins_of: Callable[[Groups], list[Bin]]) -> Calibration:
    bins = bins_of(groups)
    return Calibration(bins, expected_error(bins), decompose(bins, groups.squared))


def _at(groups: Groups, threshold: float) -> AtThreshold:
    table = at_threshold(groups, threshold)
    return AtThreshold(threshold, precision(table), recall(table), f_beta(table, True))
