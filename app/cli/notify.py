"""`headrace notify`: sends a test message to where signals are sent."""

import asyncio
import time

import click

from headrace.agents.notifier import HookError
from headrace.app.cli.options import asking
from headrace.app.cli.terminal import say
from headrace.app.hooks import TEST, make_hook
from headrace.app.settings import Settings


@click.command()
@asking
@click.option("--test", is_flag=True, required=True, help="Send a test message.")
def notify(settings: Settings, *, test: bool) -> None:  # noqa: ARG001 the only thing that it can do
    """Send a test message to the URL or the command of [notify], and tell whether it was taken."""
    hook = make_hook(settings)
    if hook is None:
        raise click.ClickException(f"{settings.path} has no [notify]. Add it, with a url or a command.")
    try:
        asyncio.run(hook(TEST | {"time": time.time()}))
    except HookError as error:
        remedy = "Look whether it runs, and where it expects notifications."
        raise click.ClickException(f"it was not taken: {error}. {remedy}") from None
    say("The hook has taken the test message.")
