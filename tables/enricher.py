"""Enrichment: adds stored features to questions and records, within a time budget and without ever failing."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import structlog

from headrace.learning.errors import RecordError
from headrace.learning.plain import plain_error
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import Task, Value
from headrace.tables.features import FeatureStore

log = structlog.get_logger()

KEYS = 100
"""The number of keys for which the budget is meant; a look-up of more keys, as for a batch, has a proportionally larger budget."""

Trouble = Literal["missing", "failed", "slow", "wrong"]

RETRY_SECONDS = 1.0
"""How long a store that failed is not asked; meanwhile every row gets the defaults at once."""

SLOW_MAX = 3
"""The number of consecutive slow look-ups after which the store counts as failed. A single one may be a pause of this process."""


class LookupCounts(msgspec.Struct):
    """Counts of looked-up values by outcome. Each value counts as exactly one of `found`, `missing`, `failed`, `slow` and `wrong`.

    Parameters
    ----------
    found
        Values taken from the store.
    missing
        Values that the store lacks or has expired, and values for rows without a key.
    failed
        Values that could not be read because the store failed, or had failed less than a second before.
    slow
        Values that the store did not return within the budget.
    wrong
        Values in the store that the task does not accept.
    defaulted
        Values that were not found and were replaced by a default. The others are left out of the row.
    """

    found: int = 0
    missing: int = 0
    failed: int = 0
    slow: int = 0
    wrong: int = 0
    defaulted: int = 0


class Enricher:
    """Adds stored features to rows that lack them.

    `enrich` never raises and never waits longer than its budget, nor at all for a store that answers at once. If the store is down, slow or wrong, a feature gets its declared
    default, or is left out if it has none, and the failure is counted.

    Parameters
    ----------
    task
        The task, which declares the stored features.
    store
        The feature store.
    budget
        How long a call may wait for the store, in seconds for each hundred keys.
    clock
        A monotonic clock, in seconds.

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
    LookupCounts(found=1, missing=1, failed=0, slow=0, wrong=0, defaulted=1)
    """

    def __init__(
        self, task: Task, store: FeatureStore, budget: float = 0.005, clock: Callable[[], float] = time.monotonic
    ):
        self.task, self.store, self.budget, self.clock = task, store, budget, clock
        self.schema = StoredSchema(task)
        self.counts = LookupCounts()
        self._has_failed = False
        self._retry_at = -math.inf
        self._slow_in_a_row = 0

    async def enrich(self, rows: Sequence[tuple[str | None, dict[str, Value]]]) -> list[dict[str, Value]]:
        """Return the features of each row with the stored features added.

        Parameters
        ----------
        rows
            For each row, the entity's key, or None, and the features. All keys are looked up in one call.
        """
        wanted = [[name for name in self.schema.stored if name not in features] for _, features in rows]
        keys = list(
            dict.fromkeys(key for (key, _), names in zip(rows, wanted, strict=True) if names and key is not None)
        )
        stored = await self._look_up(keys) if keys else {}
        return [
            self._complete(features, names, stored if isinstance(stored, str) else stored.get(key, {}))
            if names
            else features
            for (key, features), names in zip(rows, wanted, strict=True)
        ]

    async def _look_up(self, keys: list[str]) -> dict[str | None, dict[str, Value]] | Trouble:
        """Look up the stored features of each key; return the kind of trouble instead if the store fails or is slow."""
        if self._has_failed:
            now = self.clock()
            if now < self._retry_at:
                return "failed"
            self._retry_at = now + RETRY_SECONDS  # only one caller tries again; the others get defaults at once
        budget: asyncio.Timeout | None = None
        try:
            if self.store.is_immediate:
                entities = await self.store.look_up(keys)
            else:
                async with asyncio.timeout(self.budget * math.ceil(len(keys) / KEYS)) as budget:
                    entities = await self.store.look_up(keys)
            stored: dict[str | None, dict[str, Value]]
            stored = {key: dict(features) for key, features in zip(keys, entities, strict=True)}
        except Exception as error:  # noqa: BLE001 whatever a store does, the answer goes on
            if budget is None or not budget.expired():
                self._fail(error)
                return "failed"
            self._slow_in_a_row += 1
            if self._slow_in_a_row >= SLOW_MAX:
                self._fail(error)
            return "slow"
        if self._has_failed:
            log.info("the feature store answers again", task=self.task.name)
        self._has_failed, self._slow_in_a_row = False, 0
        return stored

    def _fail(self, error: Exception) -> None:
        if not self._has_failed:
            log.warning("the feature store failed; defaults stand in", task=self.task.name, error=plain_error(error))
        self._has_failed = True
        self._retry_at = self.clock() + RETRY_SECONDS

    def _complete(
        self, features: dict[str, Value], names: list[str], stored: dict[str, Value] | Trouble
    ) -> dict[str, Value]:
        complete = dict(features)
        for name in names:
            trouble = self._take(name, stored, complete)
            if trouble is None:
                self.counts.found += 1
                continue
            setattr(self.counts, trouble, getattr(self.counts, trouble) + 1)
            default = self.schema.stored[name].default
            if default is not None:
                complete[name] = default
                self.counts.defaulted += 1
        return complete

    def _take(self, name: str, stored: dict[str, Value] | Trouble, complete: dict[str, Value]) -> Trouble | None:
        if isinstance(stored, str):
            return stored
        if name not in stored:
            return "missing"
        try:
            self.schema.check(name, stored[name])
        except RecordError:
            return "wrong"
        complete[name] = stored[name]
        return None
