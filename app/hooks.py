"""Hooks: send a signal as JSON to a URL or to a command."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryFile

import aiohttp
import msgspec

from headrace.agents.notifier import HookError, Send
from headrace.app.effects import describe_effect
from headrace.app.settings import Settings
from headrace.app.settings.notify import Notify, url_of
from headrace.app.unreached import say_unreached
from headrace.learning.task import Json

PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
"""The statuses below 500 with which a hook may take the same body later."""

TEST = {
    "effect": "alert",
    "id": "test/0/0/0/0",
    "code": "test",
    "detail": "headrace notify --test: notifications arrive.",
    "time": 0.0,
}
"""The signal that `headrace notify --test` sends."""


def body_of(signal: Mapping[str, Json]) -> bytes:
    """Return the body of a notification, which `docs/formats.md` describes.

    Examples
    --------
    >>> body = msgspec.json.decode(body_of({"effect": "alert", "id": "ads/0/7/0/0", "code": "drift", "detail": "it rose"}))
    >>> body["text"], body["task"], body["partition"], body["kind"]
    ('Headrace ads/0: alert drift: it rose', 'ads', 0, 'alert')
    """
    task, _, rest = str(signal["id"]).partition("/")
    partition = rest.partition("/")[0]
    text = f"Headrace {task}/{partition}: {describe_effect(dict(signal))}"
    fields = {
        "text": text,
        "id": signal["id"],
        "task": task,
        "partition": int(partition) if partition.isdecimal() else None,
        "kind": signal["effect"],
        "signal": signal,
    }
    return msgspec.json.encode(fields)


class Webhook:
    """Posts a notification to a URL. A redirect is not followed: the answer of another address would not be that of the hook.

    Parameters
    ----------
    url
        The URL, which may contain a secret and so never stands in an error.
    timeout
        How long the answer may take, in seconds.
    token
        Is sent as `Authorization: Bearer TOKEN`; None: nothing is.
    """

    def __init__(self, url: str, timeout: float, token: str | None = None):
        self.url, self.timeout = url, aiohttp.ClientTimeout(total=timeout)
        self.headers = {"Content-Type": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    async def __call__(self, signal: Mapping[str, Json]) -> None:
        """Send a signal; HookError if the hook does not take it."""
        try:
            async with (
                aiohttp.ClientSession(timeout=self.timeout) as session,
                session.post(self.url, data=body_of(signal), headers=self.headers, allow_redirects=False) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError) as error:  # whose text might show the URL
            raise HookError(f"the hook cannot be reached: {say_unreached(error)}", passing=True) from None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            passing = status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise HookError(f"the hook answers {status}", passing=passing)


class Command:
    """Gives a notification to a command on its standard input. There is no shell, and none of Headrace's secrets is in its environment.

    Parameters
    ----------
    words
        The program and its arguments.
    folder
        Where it runs.
    timeout
        How long it may run, in seconds; then it is killed.
    """

    def __init__(self, words: Sequence[str], folder: Path, timeout: float):
        self.words, self.folder, self.timeout = words, folder, timeout

    async def __call__(self, signal: Mapping[str, Json]) -> None:
        """Run the command for a signal; HookError if its exit status is not 0."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        with TemporaryFile() as body:  # not a pipe, which breaks if the command does not read it
            body.write(body_of(signal))
            body.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.words,
                    stdin=body,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    cwd=self.folder,
                    env=environment,
                )
            except OSError as error:
                raise HookError(f"the command cannot be run: {error.strerror}", passing=True) from None
        try:
            async with asyncio.timeout(self.timeout):
                await process.wait()
        except TimeoutError:
            raise HookError(f"the command has not ended within {self.timeout:g} s", passing=True) from None
        finally:
            with suppress(ProcessLookupError):
                process.kill()  # also if the worker stops
        if process.returncode != 0:
            raise HookError(f"the command has ended with status {process.returncode}", passing=True)


def make_hook(settings: Settings) -> Send | None:
    """Make the hook of the settings; None if they name none. SettingsError if they name no usable one."""
    notify: Notify | None = settings.notify
    if notify is None:
        return None
    if notify.command is not None:
        return Command(notify.command, settings.folder, notify.timeout)
    return Webhook(url_of(settings.path, notify), notify.timeout, os.environ.get("HEADRACE_NOTIFY_TOKEN"))
