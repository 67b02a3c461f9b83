"""`versions.mirror` is a setting of the workers alone: checked when it is read, and no part of the definition."""

import sys

import pytest

from headrace.app.settings import parse
from headrace.app.stores import make_mirror
from headrace.learning.errors import SettingsError
from headrace.learning.task import Task, Versions, define, under
from headrace.tables.mirror import BucketMirror, FolderMirror


def settings(tmp_path, mirror):
    task = {"kind": "binary", "versions": {"mirror": mirror}}
    return parse({"tasks": {"ads": task}}, tmp_path / "headrace.toml")


def made(tmp_path, mirror):
    found = settings(tmp_path, mirror)
    return make_mirror(found, found.tasks["ads"])


def test_a_folder_is_relative_to_the_settings(tmp_path):
    for mirror, folder in (
        ("file:copies", tmp_path / "copies"),
        ("file:/srv/copies", "/srv/copies"),
        ("file:///srv/copies", "/srv/copies"),
    ):
        found = made(tmp_path, mirror)
        assert isinstance(found, FolderMirror)
        assert str(found.folder) == str(folder)


def test_a_bucket_is_one(tmp_path):
    pytest.importorskip("obstore")
    assert isinstance(made(tmp_path, "s3://models/headrace"), BucketMirror)
    assert isinstance(made(tmp_path, "s3://models"), BucketMirror)


def test_without_a_mirror_there_is_none(tmp_path):
    found = parse({"tasks": {"ads": {"kind": "binary"}}}, tmp_path / "headrace.toml")
    assert make_mirror(found, found.tasks["ads"]) is None


@pytest.mark.parametrize("mirror", ["copies", "file:", "s3:models", "s3://", "gs://models", "http://s3/models", 7])
def test_what_is_no_mirror_is_told_with_an_example(tmp_path, mirror):
    with pytest.raises(SettingsError, match="mirror"):
        settings(tmp_path, mirror)


def test_a_bucket_without_obstore_is_told_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(SettingsError, match=r"pip install 'headrace\[mirror\]'"):
        made(tmp_path, "s3://models")
    assert isinstance(made(tmp_path, "file:copies"), FolderMirror), "a folder needs no extra"


def test_a_mirror_is_no_part_of_the_definition():
    plain = Task(name="ads", kind="binary", versions=Versions(every=50))
    copied = Task(name="ads", kind="binary", versions=Versions(every=50, mirror="file:copies"))
    assert define(plain) == define(copied)
    assert b"mirror" not in define(copied)
    assert under(copied, define(copied)).versions == Versions(every=50)
