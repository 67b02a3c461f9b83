"""How long a plain aiokafka consumer takes to join a group on the embedded broker. Headrace's own consumers are not used."""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from headrace.app import broker as embedded

TOPIC = "joined"
MEMBERS = ("first", "after the first has stopped", "after the second has stopped")


async def join(
    address: str, group: str, session_ms: int, instance: str | None = None
) -> tuple[float, int, AIOKafkaConsumer]:
    """Join a group and wait for partitions: the seconds, the generation, and the consumer."""
    started = time.monotonic()
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=address, group_id=group, session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 5, group_instance_id=instance,
    )  # fmt: skip
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.02)
    return time.monotonic() - started, consumer._coordinator.generation, consumer


async def stop_silently(consumer: AIOKafkaConsumer) -> None:
    """Stop it as if it had been killed: the broker does not hear of it."""

    async def leave_nothing() -> None:
        pass

    consumer._coordinator._maybe_leave_group = leave_nothing
    await consumer.stop()


async def measure(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    await admin.close()
    for session_ms in (3_000, 6_000, 10_000):
        for member in MEMBERS:
            seconds, generation, consumer = await join(address, f"session-{session_ms}", session_ms)
            print(
                f"session {session_ms / 1000:2.0f} s, {member:28s}: {seconds:5.1f} s, generation {generation}",
                flush=True,
            )
            await consumer.stop()
    for session_ms in (2_000, 10_000):
        for instance in (None, "static"):
            group = f"killed-{session_ms}-{instance}"
            first, _, consumer = await join(address, group, session_ms, instance)
            await stop_silently(consumer)
            second, _, consumer = await join(address, group, session_ms, instance)
            await consumer.stop()
            print(
                f"session {session_ms / 1000:2.0f} s, {instance or 'not static'}: {first:5.1f} s, after a kill {second:5.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(measure(sys.argv[1]))
    else:
        address = f"127.0.0.1:{embedded.free_port()}"
        process = embedded.start(address)
        try:
            asyncio.run(measure(address))
        finally:
            process.kill()
            process.wait()
