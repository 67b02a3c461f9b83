"""Enrichment: questions and records get the features that a task keeps in a feature store, in limited time and whatever happens."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import structlog

from headrace.learning.errors import RecordError
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import Task, Value
from headrace.tables.features import FeatureStore

log = structlog.get_logger()

KEYS = 100
"""Keys that the budget is for; a look-up of more of them, which a batch needs, has as many times as much."""

Trouble = Literal["missing", "failed", "slow", "wrong"]

RETRY_SECONDS = 1.0
"""How long a store that failed is left alone; every row gets the defaults meanwhile, at once."""

SLOW_MAX = 3
"""Look-ups in a row beyond the budget after which the store has failed: one alone may be this process's own pause."""


class Counts(msgspec.Struct):
    """What became of the values that were wanted of a store: of each just one of `found` to `wrong`, and then perhaps `defaulted`.

    Parameters
    ----------
    found
        Taken from the store.
    missing
        The store has none, or none any more, or the row has no key.
    failed
        The store failed, or had failed less than a second before and was not asked.
    slow
        The store did not answer within the budget.
    wrong
        The store has a value that the task cannot take.
    defaulted
        Of all but the found: those with a default. The others are left out of the row.
    """

    found: int = 0
    missing: int = 0
    failed: int = 0
    slow: int = 0
    wrong: int = 0
    defaulted: int = 0


class Enricher:
    """Adds to rows the stored features that they do not carry themselves.

    It never raises and never takes longer than its budget: where the store is down, slow or wrong, a feature has its declared
    default, or is left out if it has none, and that is counted.

    Parameters
    ----------
    task
        Declares the stored features.
    store
        Where they are looked up.
    budget
        Seconds that a call may wait for the store, for each hundred keys.
    clock
        Seconds that never go back.

    Examples
    --------
    >>> from headrace.learning.task import Stored
    >>> class Clicks(FeatureStore):
    ...     async def look_up(self, keys):
    ...         return [{"clicks": 3} for key in keys]
    >>> task = Task(name="ads", kind="binary", stored={"clicks": Stored(default=0), "country": Stored(default="")})
    >>> enricher = Enricher(task, Clicks())
    >>> asyncio.run(enricher.enrich([("user-1", {"price": 2.5})]))
    [{'price': 2.5, 'clicks': 3, 'country': ''}]
    >>> enricher.counts
    Counts(found=1, missing=1, failed=0, slow=0, wrong=0, defaulted=1)
    """

    def __init__(
        self, task: Task, store: FeatureStore, budget: float = 0.005, clock: Callable[[], float] = time.monotonic
    ):
        self.task, self.store, self.budget, self.clock = task, store, budget, clock
        self.schema = StoredSchema(task)
        self.counts = Counts()
        self._has_failed = False
        self._retry_at = -math.inf
        self._slow_in_a_row = 0

    async def enrich(self, rows: Sequence[tuple[str | None, dict[str, Value]]]) -> list[dict[str, Value]]:
        """The features of each row, (entity's key, features), with the stored ones added; all are looked up at once."""
        wanted = [[name for name in self.schema.stored if name not in features] for _, features in rows]
        keys = list(
            dict.fromkeys(key for (key, _), names in zip(rows, wanted, strict=True) if names and key is not None)
        )
        found = await self._look_up(keys) if keys else {}
        return [
            self._complete(features, names, found if isinstance(found, str) else found.get(key, {}))
            if names
            else features
            for (key, features), names in zip(rows, wanted, strict=True)
        ]

    async def _look_up(self, keys: list[str]) -> dict[str | None, dict[str, Value]] | Trouble:
        """What the store has for each key, or what is the matter with it."""
        if self._has_failed:
            now = self.clock()
            if now < self._retry_at:
                return "failed"
            self._retry_at = now + RETRY_SECONDS  # one tries; the others are not kept waiting
        try:
            async with asyncio.timeout(self.budget * math.ceil(len(keys) / KEYS)) as budget:
                entities = await self.store.look_up(keys)
            found: dict[str | None, dict[str, Value]]
            found = {key: dict(features) for key, features in zip(keys, entities, strict=True)}
        except Exception as error:  # noqa: BLE001 whatever a store does, the answer goes on
            if not budget.expired():
                self._fail(error)
                return "failed"
            self._slow_in_a_row += 1
            if self._slow_in_a_row >= SLOW_MAX:
                self._fail(error)
            return "slow"
        if self._has_failed:
            log.info("the feature store answers again", task=self.task.name)
        self._has_failed, self._slow_in_a_row = False, 0
        return found

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            log.warning("the feature store failed; defaults stand in", task=self.task.name, error=repr(error))
        self._has_failed = True
        self._retry_at = self.clock() + RETRY_SECONDS

    def _complete(
        self, features: dict[str, Value], names: list[str], found: dict[str, Value] | Trouble
    ) -> dict[str, Value]:
        complete = dict(features)
        for name in names:
            trouble = self._take(name, found, complete)
            if trouble is None:
                self.counts.found += 1
                continue
            setattr(self.counts, trouble, getattr(self.counts, trouble) + 1)
            default = self.schema.stored[name].default
            if default is not None:
                complete[name] = default
                self.counts.defaulted += 1
        return complete

    def _take(self, name: str, found: dict[str, Value] | Trouble, complete: dict[str, Value]) -> Trouble | None:
        if isinstance(found, str):
            return found
        if name not in found:
            return "missing"
        try:
            self.schema.check(name, found[name])
        except RecordError:
            return "wrong"
        complete[name] = found[name]
        return None
