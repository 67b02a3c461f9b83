"""A mirror has a file as a whole or not at all: in a folder, and in a bucket of moto's server, which speaks S3."""

import asyncio
import os

import harness
import pytest
from s3_server import lead_to

from headrace.tables import mirror as mirror_module
from headrace.tables.mirror import BucketMirror, FolderMirror


def run(coroutine):
    return asyncio.run(coroutine)


def check_mirror(mirror):
    """What every mirror does."""

    async def check():
        assert await mirror.begin("ads/0/v1-0-1.model", 10) is None
        data = os.urandom(12 << 20)  # obstore sends so much in parts
        await mirror.put("ads/0/v1-0-1.model", data)
        assert await mirror.begin("ads/0/v1-0-1.model", 100) == data[:100]
        assert await mirror.begin("ads/0/v1-0-1.model", len(data) + 1) == data
        await mirror.put("ads/0/v1-0-1.model", b"short")
        assert await mirror.begin("ads/0/v1-0-1.model", 100) == b"short"
        assert await mirror.begin("ads/1/v1-0-1.model", 10) is None

    run(check())


def test_a_folder_keeps_files(tmp_path):
    check_mirror(FolderMirror(tmp_path / "not" / "there" / "yet"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["v1-0-1.model"]


def test_a_bucket_keeps_files(bucket):
    check_mirror(BucketMirror(f"s3://{bucket}/some/prefix"))
    check_mirror(BucketMirror(f"s3://{bucket}"))


def test_a_bucket_that_is_not_there_is_an_error(bucket):
    with pytest.raises(Exception, match="(?i)nosuchbucket|bucket"):
        run(BucketMirror(f"s3://{bucket}-not/x").put("ads/0/v1-0-1.model", b"data"))


def test_a_bucket_that_does_not_answer_is_an_error(monkeypatch):
    pytest.importorskip("obstore")
    lead_to(f"http://127.0.0.1:{harness.free_port()}", monkeypatch)
    monkeypatch.setattr(mirror_module, "TRIES", 0)
    with pytest.raises(Exception, match="(?i)error"):
        run(BucketMirror("s3://models").put("ads/0/v1-0-1.model", b"data"))


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    mirror = FolderMirror(tmp_path)
    run(mirror.put("ads/0/v1-0-1.model", b"whole"))

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mirror_module.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        run(mirror.put("ads/0/v1-0-1.model", b"half"))
    assert run(mirror.begin("ads/0/v1-0-1.model", 10)) == b"whole"
    assert [path.name for path in (tmp_path / "ads" / "0").iterdir()] == ["v1-0-1.model"]
