"""`headrace demo`: shows a model that learns from a stream, is killed, comes back equal, and answers all the time."""

import asyncio
import os
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from headrace.app import broker as embedded
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say
from headrace.app.cli.top import unbuffered_keys
from headrace.app.command import fix_hash_seed
from headrace.app.demo import ACTS
from headrace.app.demo.act import play
from headrace.app.demo.screen import Terminal
from headrace.app.demo.stage import Stage
from headrace.learning.errors import BrokerError
from headrace.tables.kafka.topics import connect

NEXT = """
Go on with your own data:

  .venv/bin/headrace init FILE --label COLUMN              writes headrace.toml
  .venv/bin/headrace broker                                in a second terminal
  .venv/bin/headrace worker                                in a third
  .venv/bin/headrace send TASK FILE                        and watch it learn:
  .venv/bin/headrace status"""


@click.command()
@click.option("--broker", metavar="HOST:PORT", help="Use this broker; otherwise an embedded one is started.")
@click.option(
    "--stay/--no-stay",
    default=None,
    help="At the end, let a worker and its page go on until a key is pressed. Unless given: where there is a terminal.",
)
def demo(broker: str | None, *, stay: bool | None) -> None:
    """Watch a model learn from River's Phishing data, be killed with -9 and come back equal to the last bit.

    Then watch two workers answer questions whose labels come later, while one of them is killed; a model that meets a drift and wrong
    labels, and comes out of both; and a challenger that proves to be better. At the end a page shows it, alive.
    """
    stays = sys.stdin.isatty() and sys.stdout.isatty() if stay is None else stay
    fix_hash_seed()
    os.environ.pop("HEADRACE_KEYS", None)  # the demo's workers need no API keys
    terminal = Terminal(Screen())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="headrace-demo-")))
        if broker is None:
            address = f"127.0.0.1:{embedded.free_port()}"
            process = embedded.start(address)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            say(f"Broker: the embedded one, in memory, at {address}.")
            stage = Stage(folder, address, terminal, embedded=True)
        else:
            address = broker.removeprefix("kafka://")
            asyncio.run(check_broker(address))
            prefix = f"phishing-demo-{os.getpid()}"  # a shared broker may hold an older run
            say(f"Broker: {address}; the topics of this run begin with {prefix}.")
            stage = Stage(folder, address, terminal, embedded=False, prefix=prefix)
        equal = asyncio.run(play(ACTS, stage, key_pressed if stays else None))
    if not equal:
        raise click.ClickException("the results differ, and they must not. Please report this.")
    say(*NEXT.split("\n"))


async def key_pressed() -> None:
    """Wait until a key is pressed, or the input ends; without a terminal, until a line comes."""
    with unbuffered_keys() if sys.stdin.isatty() else nullcontext():
        pressed = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin, pressed.set)
        try:
            await pressed.wait()
        finally:
            loop.remove_reader(sys.stdin)


async def check_broker(broker: str) -> None:
    """Raise BrokerError if no Kafka answers at this address. The demo's workers would end at once, and their logs are not shown."""
    try:
        await (await connect(broker)).close()
    except BrokerError as error:
        raise BrokerError(error.what, "Start it, or leave --broker out: then an embedded one is started.") from None
