"""Limits a rate of requests with a token bucket."""


class Bucket:
    """A token bucket: allows `rate` requests a second, and after a pause the requests of one second at once.

    Parameters
    ----------
    rate
        The number of requests a second, above 0.
    now
        The time in seconds, of a monotonic clock. The bucket begins full.

    Examples
    --------
    >>> bucket = Bucket(rate=2, now=0.0)
    >>> [bucket.take(0.0) for _ in range(3)]
    [0.0, 0.0, 0.5]
    >>> bucket.has_token(0.4), bucket.has_token(0.5), bucket.take(0.5)
    (False, True, 0.0)
    """

    def __init__(self, rate: float, now: float):
        self.rate = rate
        self.size = max(rate, 1.0)
        self._tokens, self._at = self.size, now

    def take(self, now: float) -> float:
        """Take a token and return 0.0; or, if there is none, return the seconds until there is one."""
        tokens = self._fill(now)
        self._at = now
        if tokens < 1.0:
            self._tokens = tokens
            return (1.0 - tokens) / self.rate
        self._tokens = tokens - 1.0
        return 0.0

    def has_token(self, now: float) -> bool:
        """Say whether `take` would take a token now."""
        return self._fill(now) >= 1.0

    def _fill(self, now: float) -> float:
        return min(self.size, self._tokens + (now - self._at) * self.rate)
