"""A running comparison of the champion with another way to answer, which finds out when the champion becomes worse."""

from typing import NamedTuple

from headrace.learning.prediction import Prediction
from headrace.learning.sequential import EDetector
from headrace.learning.sequential.loss import PairedLoss
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Task

WITHIN = 20_000
"""The number of labels within which `alpha` is the chance of a false alarm."""


RECOVERED = 200
"""After an alarm, the champion must not have been worse over so many labels before there can be another one: a trouble is told once."""


class Found(NamedTuple):
    """What a comparison has found: the mean loss of the other and of the champion, over so many labels, and what was computed of them."""

    other: float
    champion: float
    labels: int
    statistic: float
    threshold: float

    def notice(self, guard: str) -> Notice:
        """Make what a guard of this name tells of it."""
        return Notice(
            arm="champion",
            detector=guard,
            watched="error",
            direction="worse",
            before=self.other,
            after=self.champion,
            width_before=self.labels,
            width=self.labels,
            statistic=self.statistic,
            threshold=self.threshold,
            kind="guard",
        )


@tagged("comparison/1")
class Comparison:
    """Compares the losses of the champion with those of another, label by label, and raises an alarm when the champion becomes worse.

    The alarm is that of an e-detector, which is restarted at an alarm: it sees the last stretch of labels on which the champion does worst, so a
    champion that was better for long is not excused. With the null hypothesis that its loss exceeds the other's by `margin` at most on
    average, whatever came before, the chance of an alarm within 20,000 labels is at most `alpha`.

    Parameters
    ----------
    task
        The task, whose guard says what is compared.
    among
        The number of comparisons that share one `alpha`.

    Attributes
    ----------
    mine, theirs
        The sums of the losses of the champion and of the other since the champion was last no worse: Page's CUSUM, so that an alarm tells the
        means from where the trouble probably began.
    count
        The number of labels since then.
    is_quiet
        Whether there was an alarm, and the champion has not recovered since.

    References
    ----------
    Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2024.
    """

    def __init__(self, task: Task, among: int = 1):
        guard = task.guard
        self.losses = PairedLoss(task.kind, task.guard.loss)
        self.detector = EDetector(mean=guard.margin, between=among * WITHIN / guard.every / guard.alpha, low=-1.0)
        self.margin = guard.margin
        self.mine = self.theirs = 0.0
        self.count = 0
        self.is_quiet = False

    def update(self, champion: Prediction, other: Prediction, label: Label) -> Found | None:
        """Compare two predictions for a label; return what was found if the champion has become worse."""
        losses = self.losses.of(champion, other, label)
        if losses is None:
            return None
        mine, theirs = losses
        self.mine += mine
        self.theirs += theirs
        self.count += 1
        if self.is_quiet:
            if self.count == RECOVERED:
                is_well = self.mine - self.theirs <= self.margin * RECOVERED
                self.restart()
                self.is_quiet = not is_well
            return None
        if not self.detector.update(mine - theirs):
            if self.mine - self.theirs <= self.margin * self.count:
                self.mine = self.theirs = 0.0
                self.count = 0
            return None
        found = Found(
            self.theirs / self.count,
            self.mine / self.count,
            self.count,
            self.detector.statistic,
            self.detector.threshold,
        )
        self.restart()
        self.is_quiet = True
        return found

    def restart(self) -> None:
        """Begin again: one of the two is another model now."""
        self.mine = self.theirs = 0.0
        self.count = 0
        self.is_quiet = False
        self.detector.restart()
