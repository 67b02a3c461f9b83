"""The file of a version: what is packed comes back equal, and a file that was changed, cut, forged or blown up is refused before it does harm."""

import hashlib
import sys

import msgspec
import pytest
import zstandard
from users_models import Half

from headrace.learning.arms import Arm
from headrace.learning.encoding import SIZE, decode, digest, encode
from headrace.learning.errors import PackageError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.snapshot import package as package_module
from headrace.learning.snapshot.package import Head, pack, peek, read_model, unpack
from headrace.learning.task import Task
from headrace.learning.versions import Version

KEY = b"k" * 32
ADS = Task(name="ads", kind="binary")


def learned(task, rows):
    learner = Learner(task, 0)
    for at, row in enumerate(rows):
        for _ in learner.fold(Message(at, msgspec.json.encode(row))):
            pass
    return learner.champion


def packed(task=ADS, arm=None, key=None, **changes):
    arm = arm or Arm(task, role="champion")
    version = Version("v3-0-9", 9, 3, 1000, arm.digest, arm.made_of, {"accuracy": 0.5}, 0.5, "checkpoint", "v1-0-7")
    return pack(version._replace(**changes), encode(arm.model), task, 0, key)


def forged(file, payload=None, **changes):
    """A file without a signature whose first line says something else, with sums that are right: anyone can write it."""
    head = peek(file)
    end = file.index(b"\n") + 1
    payload = file[end + 32 + 32 * head.signed :] if payload is None else payload
    sums = {"signed": False, "sha256": hashlib.sha256(payload).hexdigest(), "packed": len(payload)}
    line = msgspec.json.encode(msgspec.to_builtins(head) | sums | changes) + b"\n"
    return line + hashlib.sha256(line).digest() + payload


TASKS = [
    (ADS, [{"features": {"x": float(at % 3), "y": "ab"[at % 2]}, "label": at % 3 == 0} for at in range(50)]),
    (
        Task(name="kinds", kind="multiclass"),
        [{"features": {"x": float(at % 3)}, "label": "abc"[at % 3]} for at in range(50)],
    ),
    (
        Task(name="prices", kind="regression", model="hoeffding_regressor"),
        [{"features": {"x": float(at % 7)}, "label": at % 7 * 2.0} for at in range(50)],
    ),
    (
        Task(name="ads", kind="binary", model={"use": "logistic", "learning_rate": 0.5}),
        [{"features": {"x": float(at % 3)}, "label": at % 3 == 0} for at in range(50)],
    ),
]


@pytest.mark.parametrize(("task", "rows"), TASKS)
@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_packed_comes_back_equal(task, rows, key):
    arm = learned(task, rows)
    file = packed(task, arm, key)
    package = unpack(file, key)
    assert digest(read_model(package, task)) == arm.digest == package.head.digest
    assert (package.head.id, package.head.model, package.head.signed) == ("v3-0-9", task.model, key is not None)
    assert (package.head.metrics, package.head.time) == ({"accuracy": 0.5}, 1000)
    assert msgspec.json.decode(file.split(b"\n", 1)[0], type=Head) == package.head


@pytest.mark.parametrize("key", [None, KEY])
def test_a_file_with_any_byte_changed_is_refused(key):
    file = packed(key=key)
    for at in range(len(file)):
        for flip in (1, 0x80):
            changed = file[:at] + bytes([file[at] ^ flip]) + file[at + 1 :]
            with pytest.raises(PackageError):
                unpack(changed, key)
    assert unpack(file, key)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_file_that_was_cut_or_has_more_is_refused(key):
    file = packed(key=key)
    for end in range(len(file)):
        with pytest.raises(PackageError):
            unpack(file[:end], key)
    with pytest.raises(PackageError):
        unpack(file + b"\0", key)


def test_with_a_key_only_a_file_that_is_signed_with_it_is_taken():
    signed = packed(key=KEY)
    with pytest.raises(PackageError, match="is not signed, and a snapshot key is configured"):
        unpack(packed(), KEY)
    with pytest.raises(PackageError, match="not signed with the configured snapshot key"):
        unpack(signed, b"another")
    with pytest.raises(PackageError, match="is not signed, and"):
        unpack(forged(signed, updates=10**6), KEY)
    other = packed(key=b"another")
    swapped = signed[: signed.index(b"\n") + 33] + other[signed.index(b"\n") + 33 :]
    with pytest.raises(PackageError, match="not signed with the configured snapshot key"):
        unpack(swapped, KEY)


def test_without_the_signature_the_test_above_would_fail(monkeypatch):
    """The mutant: whoever does not compare the signature takes a file of another key."""
    monkeypatch.setattr(package_module.hmac, "compare_digest", lambda _a, _b: True)
    assert unpack(packed(key=b"another"), KEY).head.signed


def test_a_bomb_is_not_inflated(inflated):
    small = packed()
    bomb = zstandard.compress(bytes(64 << 20))
    for file in (
        forged(small, payload=bomb),  # the frame tells of more than the first line
        forged(small, payload=zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 << 20))),
    ):
        with pytest.raises(PackageError, match="another size"):
            unpack(file)
    for size in (SIZE + 1, 2**63):
        with pytest.raises(PackageError, match="cannot be used"):
            unpack(forged(small, payload=bomb, size=size))
    assert inflated == [], "nothing was inflated"
    unpack(small)
    assert inflated == [peek(small).size]


def test_a_frame_that_tells_of_less_than_it_has_is_not_inflated_further(inflated):
    """The size in the frame's head is patched: Zstandard itself must stop at it."""
    bomb = bytearray(zstandard.compress(bytes(1 << 20)))
    assert zstandard.frame_content_size(bytes(bomb)) == 1 << 20
    at = bomb.index((1 << 20).to_bytes(4, "little"))
    bomb[at : at + 4] = (300).to_bytes(4, "little")
    with pytest.raises(PackageError, match="damaged"):
        unpack(forged(packed(), payload=bytes(bomb), size=300))
    assert inflated == [300]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "headrace-version/2"}, "format"),
        ({"kind": "ranking"}, "kind"),
        ({"updates": -1}, "updates"),
        ({"updates": 2**64}, "updates"),
        ({"digest": "0" * 63}, "digest"),
        ({"more": 1}, "more"),
        ({"model": None}, "model"),
    ],
)
def test_a_first_line_that_is_none_is_refused(changes, why):
    with pytest.raises(PackageError, match=why):
        unpack(forged(packed(), **changes))


def test_a_model_of_another_digest_kind_or_library_is_refused():
    file = packed()
    with pytest.raises(PackageError, match="another digest"):
        unpack(forged(file, digest="0" * 64))
    with pytest.raises(PackageError, match="is for binary tasks, and 'prices' is regression"):
        read_model(unpack(file), Task(name="prices", kind="regression"))
    for libraries in ({}, peek(file).libraries | {"river": "0.1"}, peek(file).libraries | {"torch": "9"}):
        with pytest.raises(PackageError, match="was saved with"):
            read_model(unpack(forged(file, libraries=libraries)), ADS)


def test_a_file_that_holds_another_model_than_it_says_is_refused():
    for value in ([], {"a": 1}, Arm(ADS, role="champion"), Arm(Task(name="a", kind="binary", model="alma"), "c").model):
        arm = Arm(ADS, role="champion")
        arm.model = value
        with pytest.raises(PackageError, match="does not hold a 'logistic'"):
            read_model(unpack(packed(arm=arm)), ADS)
    with pytest.raises(PackageError, match="no model 'nonsense'"):
        read_model(unpack(forged(packed(), model="nonsense")), ADS)
    with pytest.raises(PackageError, match="no parameter 'colour'"):
        read_model(unpack(forged(packed(), model={"use": "logistic", "colour": 1})), ADS)


def test_bytes_that_are_no_encoding_are_refused():
    for data in (b"\0", b"nonsense", encode(Arm(ADS, role="champion").model)[:-1]):
        sums = {"digest": hashlib.sha256(data).hexdigest(), "size": len(data)}
        with pytest.raises(PackageError, match="cannot be read"):
            read_model(unpack(forged(packed(), payload=zstandard.compress(data), **sums)), ADS)


def test_a_model_that_is_written_otherwise_is_refused():
    """A number in a longer form reads the same, and the arm would have another digest than the version."""
    data = encode(Arm(ADS, role="champion").model)
    found = 0
    for at in (at for at in range(len(data) - 9) if data[at] == 0xCB and not any(data[at + 1 : at + 9])):
        longer = data[:at] + b"\xcf" + data[at + 1 :]  # zero as a whole number of eight bytes
        sums = {"digest": hashlib.sha256(longer).hexdigest(), "size": len(longer)}
        package = unpack(forged(packed(), payload=zstandard.compress(longer), **sums))
        assert encode(decode(longer)) != longer
        with pytest.raises(PackageError, match="not written as Headrace writes it"):
            read_model(package, ADS)
        found += 1
    assert found


def test_nothing_that_a_file_names_is_imported_or_called(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for model in ("trap:make", {"use": "trap:make", "path": "/"}, "os:abort", {"use": "os:remove", "path": "/x"}):
        with pytest.raises(PackageError, match="the file names the function"):
            read_model(unpack(forged(packed(), model=model)), ADS)
    assert "trap" not in sys.modules


def test_a_model_of_ones_own_is_taken_where_the_settings_have_it_and_nowhere_else():
    own = Task(name="ads", kind="binary", model="users_models:Half")
    file = packed(own)
    assert type(read_model(unpack(file), own)) is Half
    with pytest.raises(PackageError, match="names the function 'users_models:Half', and the settings another"):
        read_model(unpack(file), ADS)
    with pytest.raises(PackageError, match="names the function"):
        read_model(unpack(forged(file, model={"use": "users_models:Half", "which": 1})), own)
