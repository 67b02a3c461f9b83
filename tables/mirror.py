"""Mirrors: where copies of saved versions go, a folder or a bucket. Nothing is read from a mirror to fold by."""

import asyncio
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from headrace.learning.plain import plain_failure

TRIES = 2
"""How often a request to a bucket is tried again before it counts as failed; the whole copy is tried again later."""

TRY_SECONDS = timedelta(seconds=60)
"""How long a bucket may take for all tries of a request."""


class Mirror(Protocol):
    """Where copies of versions go."""

    async def begin(self, key: str, size: int) -> bytes | None:
        """Return the first bytes of a file, at most so many; None if there is no such file."""
        ...

    async def put(self, key: str, data: bytes) -> None:
        """Write a file. It is there as a whole, or not at all."""
        ...


class FolderMirror:
    """A folder. It is written with plain `pathlib`, not through obstore, so that a folder needs no extra package.

    It has a thread of its own: a disk that hangs must not take those in which states are sealed.

    Parameters
    ----------
    folder
        It is made when the first file is written.

    Examples
    --------
    >>> import asyncio, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mirror = FolderMirror(Path(folder))
    ...     asyncio.run(mirror.put("ads/0/v50-0-49.model", b"the model"))
    ...     asyncio.run(mirror.begin("ads/0/v50-0-49.model", 3))
    b'the'
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mirror")

    async def begin(self, key: str, size: int) -> bytes | None:
        """Return the first bytes of a file, at most so many; None if there is no such file."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._begin, key, size)

    async def put(self, key: str, data: bytes) -> None:
        """Write a file, and give it its name when it is whole and on the disk."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._put, key, data)

    def _begin(self, key: str, size: int) -> bytes | None:
        try:
            with (self.folder / key).open("rb") as file:
                return file.read(size)
        except FileNotFoundError:
            return None

    def _put(self, key: str, data: bytes) -> None:
        write_whole(self.folder / key, data)


class BucketMirror:
    """A bucket that speaks S3, by obstore (the extra `headrace[mirror]`). Region, endpoint and credentials are from `AWS_...` in the environment.

    Parameters
    ----------
    url
        `s3://BUCKET/PREFIX`.

    Raises
    ------
    ImportError
        obstore is not installed.
    ValueError
        The URL, or what the environment says, cannot be used.
    """

    def __init__(self, url: str):
        import obstore
        from obstore.exceptions import BaseError

        self._obstore = obstore
        retry = {"max_retries": TRIES, "retry_timeout": TRY_SECONDS}
        try:
            self._store = obstore.store.S3Store.from_url(url, retry_config=retry)  # type: ignore[arg-type] # a TypedDict
        except BaseError as error:
            raise ValueError(plain_failure(error)) from None

    async def begin(self, key: str, size: int) -> bytes | None:
        """Return the first bytes of a file, at most so many; None if there is no such file."""
        try:
            return bytes(await self._obstore.get_range_async(self._store, key, start=0, length=size))
        except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
            return None

    async def put(self, key: str, data: bytes) -> None:
        """Write a file; a bucket shows it when it is whole."""
        await self._obstore.put_async(self._store, key, data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, and give it its own when it is whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
