"""A rate limit: a bucket of tokens that fills with time."""


class Bucket:
    """Lets so many requests a second through, and after a pause as many at once as come in one second.

    Parameters
    ----------
    rate
        Requests a second, above 0.
    now
        The time in seconds of a clock that never goes back; the bucket begins full.

    Examples
    --------
    >>> bucket = Bucket(rate=2, now=0.0)
    >>> [bucket.take(0.0) for _ in range(3)]
    [0.0, 0.0, 0.5]
    >>> bucket.take(0.5)
    0.0
    """

    def __init__(self, rate: float, now: float):
        self.rate = rate
        self.size = max(rate, 1.0)
        self._tokens, self._at = self.size, now

    def take(self, now: float) -> float:
        """Take a token and give 0.0; or take none and give the seconds until there is one."""
        tokens = min(self.size, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if tokens < 1.0:
            self._tokens = tokens
            return (1.0 - tokens) / self.rate
        self._tokens = tokens - 1.0
        return 0.0
