"""KSWIN: drift detection by a Kolmogorov-Smirnov test of the latest values against a sample of those before them."""

from statistics import fmean
from typing import Annotated, ClassVar

from msgspec import Meta
from river.drift import KSWIN

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series
from headrace.learning.parameters import Level, Seed, Window
from headrace.learning.tags import tagged


@tagged("kswin/1")
class Kswin:
    """Signals when the latest values have another distribution than a random sample of the values before them in a short window.

    It tests with every value, and is about a thousand times dearer than ADWIN: 740 us a value where ADWIN takes 0.7 us
    (`benchmarks/detection.py --costs`), so it slows a shard down to some hundred records a second. And with so many tests it gives a false
    alarm every few hundred to thousand values by its default `alpha`. It is never a default. Choose it for a slow series whose shape may
    change while its mean stays. The generator of the samples is in the state; River begins it anew with `seed` after each detection, when
    it also drops the window.

    Parameters
    ----------
    alpha
        The significance level of each test.
    window_size
        The number of values in the window; at least twice `stat_size`.
    stat_size
        The number of the latest values, and of the sample of those before them.
    seed
        The seed of the generator that draws the samples.

    Examples
    --------
    >>> detector = Kswin(alpha=0.0001)
    >>> for at in range(2000):
    ...     change = detector.update(at % 10 / 10 + (at >= 1000))
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2))
    ...         break
    1016 0.45 1.02

    References
    ----------
    Raab, Heusinger and Schleif, "Reactive soft prototype computing for concept drift streams", Neurocomputing 416, 2020;
    `river.drift.KSWIN`.
    """

    name: ClassVar[str] = "kswin"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors", "numbers"})

    def __init__(
        self,
        alpha: Level = 0.005,
        window_size: Window = 100,
        stat_size: Annotated[int, Meta(ge=5, le=50_000)] = 30,
        seed: Seed = 42,
    ):
        if window_size < 2 * stat_size:
            raise ValueError(f"window_size is {window_size}, less than twice stat_size, which is {stat_size}")
        self.alpha = alpha
        self.window_size = window_size
        self.stat_size = stat_size
        self.seed = seed
        self._river = KSWIN(alpha=alpha, window_size=window_size, stat_size=stat_size, seed=seed)

    def update(self, value: float, /) -> Change | None:
        """Add one value; return the change if this value revealed one."""
        river = self._river
        window = river.window  # on a detection River puts another in its place
        river.update(value)
        river.p_value = p_value = float(river.p_value)  # SciPy's number is one of NumPy
        if not river.drift_detected:
            return None
        values, cut = list(window), self.window_size - self.stat_size
        return Change(fmean(values[:cut]), fmean(values[cut:]), cut, self.stat_size, p_value, self.alpha)
