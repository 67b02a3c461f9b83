"""Latencies, counted in buckets as by HdrHistogram: any number of them in little memory, each percentile within one per cent.

HdrHistogram itself is a module in C with its own formats of files and of wire. Two methods of it are needed here, and a command that measures
now and then should not make every installation compile or load another library.
"""

from collections import Counter

SUB_BITS = 7
"""Each power of two has 2**7 buckets, so that a bucket is narrower than one per cent of its values."""

SUB = 1 << SUB_BITS


class Latencies:
    """Counts latencies in microseconds.

    References
    ----------
    Gil Tene, HdrHistogram: the buckets of a power of two all have the same width.

    Examples
    --------
    >>> latencies = Latencies()
    >>> for milliseconds in range(1, 1001):
    ...     latencies.add(milliseconds / 1000)
    >>> [round(latencies.percentile(percent) * 1000) for percent in (50, 99, 100)]
    [502, 991, 1000]
    """

    def __init__(self) -> None:
        self.count = 0
        self.max = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one latency."""
        self.count += 1
        self.max = max(self.max, seconds)
        value = int(seconds * 1e6)
        shift = max(0, value.bit_length() - SUB_BITS - 1)
        self._buckets[(shift << SUB_BITS) + (value >> shift)] += 1

    def percentile(self, percent: float) -> float:
        """Return the seconds that so many per cent of the latencies do not exceed: the upper end of their bucket. 0 if there are none."""
        wanted, seen = self.count * percent / 100, 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(self.max, (_end_of(bucket) + 1) / 1e6)
        return self.max


def _end_of(bucket: int) -> int:
    """Return the largest number of microseconds that falls into a bucket."""
    shift = max(0, (bucket >> SUB_BITS) - 1)
    return ((bucket - (shift << SUB_BITS) + 1) << shift) - 1
