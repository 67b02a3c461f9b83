"""`headrace broker`: runs the embedded broker in the foreground."""

import signal
from types import FrameType

import click

from headrace.app import broker as embedded
from headrace.app.cli.terminal import say


@click.command()
@click.option(
    "--listen", default="127.0.0.1:9092", show_default=True, metavar="HOST:PORT", help="The address to listen on."
)
def broker(listen: str) -> None:
    """Run the embedded broker until Ctrl-C. It keeps everything in memory, and loses it when it stops."""
    process = embedded.start(listen)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        process.terminate()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    say(
        f"Kafka-compatible broker on {listen}, in memory only. For lasting logs use Kafka: deploy/kafka/. Stop: Ctrl-C."
    )
    if process.wait() > 0:
        raise click.ClickException("the embedded broker ended unexpectedly.")
