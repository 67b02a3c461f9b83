"""The feature store in Redis, which all workers and other readers share."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from itertools import accumulate, pairwise
from typing import cast

import msgspec
import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from headrace.learning.task import Task, Value
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.features import Entity, Following
from headrace.tables.table import continues, fingerprint

log = structlog.get_logger()

CONNECTIONS = 32
ANSWER_SECONDS = 5.0
"""How long Redis may take to connect or to answer the follower; look-ups have their own budget."""

TIME = b""
"""The field of an entity's hash that holds its time; no feature has an empty name."""

# Writes all entries or none, and only if Redis is at the position before them. So the first worker writes them, once and in order.
APPLY = """
local known = tonumber(redis.call('HGET', KEYS[1], 'position') or '0')
if known ~= tonumber(ARGV[1]) then return known end
local at = 4
for number = 2, #KEYS do
  local expires, fields = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  redis.call('DEL', KEYS[number])
  for _ = 1, fields do
    redis.call('HSET', KEYS[number], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
  if fields > 0 and expires ~= '' then redis.call('PEXPIREAT', KEYS[number], expires) end
end
redis.call('HSET', KEYS[1], 'position', ARGV[2], 'last', ARGV[3])
return tonumber(ARGV[2])
"""

# One string for all values, with their lengths in front: redis-py takes a hundred times as long to parse thousands of values one by one.
READ = """
local lengths, found = {}, {}
for _, key in ipairs(KEYS) do
  local values = redis.pcall('HMGET', key, unpack(ARGV))
  for field = 1, #ARGV do
    local value = values.err and 'no hash' or values[field] or ''
    lengths[#lengths + 1] = #value
    found[#found + 1] = value
  end
end
return table.concat(lengths, ',') .. ';' .. table.concat(found)
"""


class RedisStore(Following):
    """The feature store in Redis: each entity is a hash, `headrace:{<task>}:<key>`, with one field for each feature (its value as JSON).

    Every worker follows the topic. Redis holds its own position in the topic, in the hash `headrace:{<task>}`, and accepts only the entries
    at that position. So each entry is written once, by the first worker that has it, and an older entry never replaces a newer one. A
    Redis that has lost its data has lost its position too, and is filled again from the topic.

    Parameters
    ----------
    task, changelog, ttl, clock
        As for `Following`; expiry is left to Redis.
    url
        `redis://[[user]:password@]host[:port][/database]`, or `rediss://` for TLS.
    """

    passing = (*Following.passing, RedisError)

    def __init__(
        self, task: Task, changelog: Changelog, ttl: float | None, url: str, clock: Callable[[], float] = time.time
    ):
        super().__init__(task, changelog, ttl, clock)
        self.is_current = True  # Redis was filled before this process began
        self._prefix = f"headrace:{{{task.name}}}".encode()
        pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            # redis-py's own timeout loses cancellations on Python 3.11, and with them the budget of look-ups.
            socket_timeout=None,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # a second try would use up the budget of the answer
            protocol=2,
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._apply_script = self._redis.register_script(APPLY)
        self._read_script = self._redis.register_script(READ)

    async def stop(self) -> None:
        """Close the connections, when the topic is followed no more."""
        await super().stop()
        await self._redis.aclose()

    async def read(self, keys: Sequence[str]) -> list[Entity | None]:
        """Return what is stored for each entity, in the order of the keys, with one request; raise if Redis does not answer."""
        answer: bytes = await self._read_script([self._key(key.encode()) for key in keys], [TIME, *self.names])
        lengths, _, joined = answer.partition(b";")
        ends = list(accumulate(map(int, lengths.split(b","))))
        values = [joined[start:end] for start, end in pairwise([0, *ends])]
        width = 1 + len(self.names)
        return [self._entity(*values[at : at + width]) for at in range(0, len(values), width)]

    def _entity(self, stamp: bytes, *values: bytes) -> Entity | None:
        features = {name: _decode(value) for name, value in zip(self.names, values, strict=True) if value}
        if not stamp and not features:
            return None
        written = int(stamp) / 1000 if stamp.isdigit() else None
        if self.ttl is not None and written is not None and self.clock() - written > self.ttl:
            return None  # stored while the setting for the time to live was longer
        return Entity(features, written)

    async def _follow(self) -> None:
        position, last = await self._position()
        if not await continues(self.changelog, 0, position, last):
            log.warning(
                "the topic was made anew, or is not the one that Redis has followed; it is read again",
                task=self.task.name,
            )
            await self._redis.hdel(self._prefix.decode(), "position")
            position = 0
        async with aclosing(self.changelog.follow(0, position)) as rounds:
            async for entries in rounds:
                reached = await self._apply(entries, position)
                if reached is None:
                    log.warning("Redis has lost stored features; the topic is read again", task=self.task.name)
                    return
                position = reached

    async def _position(self) -> tuple[int, bytes | None]:
        """Return Redis's position in the topic, and the fingerprint of the entry before it."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                position, last = await self._redis.hmget(self._prefix.decode(), ["position", "last"])
            return int(position or 0), cast("bytes | None", last)
        except (ValueError, ResponseError) as error:
            if isinstance(error, ResponseError) and not str(error).startswith("WRONGTYPE"):
                raise
            await self._redis.delete(self._prefix)
            return 0, None

    async def _apply(self, entries: list[Entry], position: int) -> int | None:
        """Write the entries that Redis lacks; return its new position, or None if Redis has fallen back behind `position`."""
        if not any(entry.offset >= position for entry in entries):
            known, _ = await self._position()
            return None if known < position else known
        while new := [entry for entry in entries if entry.offset >= position]:
            keys = [self._prefix, *(self._key(entry.key) for entry in new)]
            end = new[-1].offset + 1
            async with asyncio.timeout(ANSWER_SECONDS):
                reached = int(
                    await self._apply_script(keys, [position, end, fingerprint(new[-1]), *self._written(new)])
                )
            if reached < position:
                return None
            position = reached
        return position

    def _written(self, entries: list[Entry]) -> list[bytes | int | str]:
        """Return the script's arguments for each entry: when it expires, the number of its fields, and the fields."""
        written: list[bytes | int | str] = []
        for entry in entries:
            features = self.features_of(entry)
            since = self.time_of(entry)
            fields: list[bytes | int | str] = []
            for name, value in features.items():
                if name:
                    fields += [name, msgspec.json.encode(value)]
            if fields:
                fields += [TIME, since]
            expires = "" if self.ttl is None else since + round(self.ttl * 1000)
            written += [expires, len(fields) // 2, *fields]
        return written

    def _key(self, key: bytes) -> bytes:
        return self._prefix + b":" + key


def _decode(value: bytes) -> Value:
    try:
        decoded: Value = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return math.nan
    return decoded


async def ping(url: str, seconds: float) -> None:
    """Check that Redis answers and accepts the password; raise if it does not within so many seconds."""
    client: Redis = Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0), protocol=2
    )
    try:
        await client.ping()
    finally:
        await client.aclose()
