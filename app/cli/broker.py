"""`headrace broker`: the embedded broker, in the foreground."""

import signal
from types import FrameType

import click

from headrace.app import broker as embedded


@click.command()
@click.option("--listen", default="127.0.0.1:9092", show_default=True, metavar="HOST:PORT", help="Where it listens.")
def broker(listen: str) -> None:
    """Run the embedded broker (memory-only: what it holds is gone when it stops) until Ctrl-C."""
    process = embedded.start(listen)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        process.terminate()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
    click.echo(
        f"Kafka-compatible broker on {listen}, in memory only. For lasting logs use Kafka: deploy/kafka/. Stop: Ctrl-C."
    )
    if process.wait() > 0:
        raise click.ClickException("the embedded broker ended unexpectedly.")
