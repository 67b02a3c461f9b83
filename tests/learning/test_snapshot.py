import hashlib
import hmac
import json
import random
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import river
import zstandard
from river.datasets import synth

from headrace.learning.errors import DamagedError, SnapshotError
from headrace.learning.fold.learner import Learner
from headrace.learning.models import names_for
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot import Header, digest, encode, peek, seal, unseal
from headrace.learning.snapshot.header import FORMAT, MAGIC, START, SUM, join
from headrace.learning.snapshot.sealed import answers
from headrace.learning.state import State
from headrace.learning.task import Task, Update, define, fingerprint

KEY = b"a key of the worker"
EVERY = [(kind, name) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)]
STREAMS = {
    "binary": synth.Agrawal(seed=3),
    "multiclass": synth.RandomRBF(3, 3, n_classes=3, n_features=5),
    "regression": synth.Friedman(seed=3),
    "anomaly": synth.Agrawal(seed=3),
}


class Message:
    timestamp, key = 1_700_000_000_000, None

    def __init__(self, offset, x, y):
        self.offset = offset
        self.value = json.dumps({"features": x, "label": y}).encode()


def learned(task, n=60):
    learner = Learner(task, partition=3)
    for offset, (x, y) in enumerate(STREAMS[task.kind].take(n)):
        features = {str(name): value for name, value in x.items()}
        list(learner.fold(Message(offset, features, bool(y) if task.kind in ("binary", "anomaly") else y)))
    return learner.state


TASK = Task(name="shop", kind="binary", model="hoeffding_tree")
STATE = learned(TASK)


def reseal(data, encoding=None, key=None, **changes):
    """A snapshot with another header, or another state, made by someone who can compute all sums."""
    old = peek(data)
    payload = data[-old.packed :]
    if encoding is not None:
        payload = zstandard.compress(encoding)
        changes = {"digest": hashlib.sha256(encoding).hexdigest(), "size": len(encoding)} | changes
    changes = {"packed": len(payload), "sha256": hashlib.sha256(payload).hexdigest(), "signed": bool(key)} | changes
    head = join(msgspec.structs.replace(old, **changes))
    return head + (hmac.digest(key, head + payload, "sha256") if key else b"") + payload


class TestWhole:
    @pytest.mark.parametrize(("kind", "name"), EVERY)
    def test_a_state_comes_back_equal_and_sealing_it_has_not_changed_it(self, kind, name):
        task = Task(name="t", kind=kind, model=name)
        state = learned(task)
        before = digest(state)
        data = seal(state, task, 3, writer="w")
        assert digest(state) == before
        back = unseal(data, task, 3)
        assert type(back) is State
        assert digest(back) == before == peek(data).digest
        assert answers(back) == answers(state)
        assert back.position == 60
        assert len(back.probes) == 32

    def test_a_new_state_can_be_sealed(self):
        assert digest(unseal(seal(State(TASK), TASK, 0, writer="w"), TASK, 0)) == digest(State(TASK))

    def test_the_header_says_whose_it_is(self):
        data = seal(STATE, TASK, 3, writer="worker-1")
        header = peek(data)
        assert header == Header(
            format=FORMAT, task="shop", kind="binary", partition=3, fingerprint=fingerprint(define(TASK)),
            libraries={"numpy": ".".join(np.__version__.split(".")[:2]), "python": header.libraries["python"], "river": river.__version__},
            position=60, digest=digest(STATE), size=len(encode(STATE)), answers=digest(answers(STATE)), writer="worker-1",
            signed=False, packed=header.packed, sha256=header.sha256,
        )  # fmt: skip
        assert zstandard.decompress(data[-header.packed :]) == encode(STATE)

    def test_the_header_can_be_read_without_the_payload(self):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=KEY)
        header = peek(data)
        assert peek(data[: -header.packed]) == header

    def test_the_furthest_of_several_is_found_by_their_headers(self):
        learner = Learner(TASK, 3)
        sealed = []
        for position in (5, 90, 40):
            learner.pass_over(position)
            learner.state.position = position
            sealed.append(seal(learner.state, TASK, 3, writer=f"w{position}"))
        assert peek(max(sealed, key=lambda data: peek(data).position)).writer == "w90"

    def test_a_model_that_no_longer_predicts_numbers_can_be_sealed(self):
        task = Task(name="t", kind="regression", model="linear")
        state = learned(task, 40)
        state.arms["champion"].model.model.intercept = float("nan")
        back = unseal(seal(state, task, 0, writer="w"), task, 0)
        assert str(answers(back)["champion"][0]) == "(nan, None)"

    def test_the_same_state_gives_the_same_bytes(self):
        data = seal(STATE, TASK, 3, writer="w")
        assert seal(unseal(data, TASK, 3), TASK, 3, writer="w") == seal(unseal(data, TASK, 3), TASK, 3, writer="w")


OTHERS = {
    "task": ({}, Task(name="other", kind="binary", model="hoeffding_tree"), "task is shop, not other"),
    "kind": ({"kind": "multiclass"}, TASK, "kind is multiclass, not binary"),
    "shard": ({"partition": 2}, TASK, "shard is 2, not 3"),
    "river": ({"libraries": {"river": "0.25.0"}}, TASK, "river version is 0.25.0, not 0.26.1"),
    "numpy": ({"libraries": {"numpy": "1.26"}}, TASK, r"numpy version is 1.26, not 2\."),
    "python": ({"libraries": {"python": "3.99"}}, TASK, r"python version is 3.99, not 3\."),
    "a library less": ({"libraries": {"river": None}}, TASK, "river version is None, not 0.26.1"),
    "a library more": ({"libraries": {"torch": "9"}}, TASK, "torch version is 9, not None"),
    "position": ({"position": 61}, TASK, "position is 60, not 61"),
    "digest": ({"digest": "0" * 64}, TASK, "its state is not what its header says"),
}  # fmt: skip


class TestSize:
    def test_it_does_not_grow_with_the_questions_that_wait(self):
        def sealed(waiting):
            task = Task(name="shop", kind="binary", model="hoeffding_tree")
            learner = Learner(task, partition=3)
            for offset in range(waiting):
                question = {"id": f"q{offset}", "features": {"x": float(offset % 7)}}
                message = Message(offset, {}, True)
                message.value = json.dumps(question).encode()
                list(learner.fold(message))
            assert learner.state.join.waiting == waiting
            return seal(learner.state, task, 3, writer="w")

        assert abs(len(sealed(7_000)) - len(sealed(700))) < 50


class TestMakers:
    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize("what", OTHERS)
    def test_a_snapshot_by_others_is_refused_and_both_are_named(self, what, key):
        changes, task, told = OTHERS[what]
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=key)
        if "libraries" in changes:
            mixed = peek(data).libraries | changes["libraries"]
            changes = {"libraries": {name: version for name, version in mixed.items() if version}}
        with pytest.raises(SnapshotError, match=told) as refusal:
            unseal(reseal(data, key=key, **changes), task, 3, snapshot_key=key)
        assert refusal.value.remedy.endswith(".")

    def test_another_format_is_refused_before_its_header_is_read(self):
        data = seal(STATE, TASK, 3, writer="w")
        later = MAGIC + (FORMAT + 1).to_bytes(2, "big") + bytes(4) + b"whatever comes then"
        for read in (peek, lambda data: unseal(data, TASK, 3)):
            with pytest.raises(SnapshotError, match=f"format is {FORMAT + 1}, not {FORMAT}"):
                read(later)
        assert peek(data).format == FORMAT

    def test_a_field_more_or_less_in_the_header_or_a_sum_of_another_form_is_refused(self):
        data = seal(STATE, TASK, 3, writer="w")
        told = msgspec.to_builtins(peek(data))
        for changed in (
            told | {"more": 1},
            {name: told[name] for name in told if name != "writer"},
            told | {"size": "9"},
            told | {"digest": told["digest"] + "\n"},
            told | {"digest": told["digest"].upper()},
        ):
            text = json.dumps(changed).encode()
            head = data[: START - 4] + len(text).to_bytes(4, "big") + text
            with pytest.raises(SnapshotError, match="header cannot be decoded"):
                peek(head + hashlib.sha256(head).digest())


class TestSignature:
    def test_a_signed_snapshot_is_accepted_with_its_key(self):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=KEY)
        assert peek(data).signed
        assert digest(unseal(data, TASK, 3, snapshot_key=KEY)) == digest(STATE)

    def test_another_key_is_refused(self):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=KEY)
        for key in (KEY + b".", b"x", KEY[:-1]):
            with pytest.raises(SnapshotError, match="not signed with the configured key"):
                unseal(data, TASK, 3, snapshot_key=key)

    def test_an_unsigned_snapshot_is_refused_where_a_key_is_configured(self):
        with pytest.raises(SnapshotError, match="not signed, and a key is configured"):
            unseal(seal(STATE, TASK, 3, writer="w"), TASK, 3, snapshot_key=KEY)

    def test_a_signed_snapshot_is_refused_where_no_key_is_configured(self):
        with pytest.raises(SnapshotError, match="signed, and no key is configured"):
            unseal(seal(STATE, TASK, 3, writer="w", snapshot_key=KEY), TASK, 3)

    @pytest.mark.parametrize("key", [b"", None])
    def test_an_empty_key_is_no_key(self, key):
        assert not peek(seal(STATE, TASK, 3, writer="w", snapshot_key=key)).signed

    def test_it_covers_the_header(self):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=KEY)
        tag = data[-peek(data).packed - SUM : -peek(data).packed]
        forged = reseal(data, key=KEY, writer="someone else")
        forged = forged[: -peek(data).packed - SUM] + tag + forged[-peek(data).packed :]
        with pytest.raises(SnapshotError, match="not signed with the configured key"):
            unseal(forged, TASK, 3, snapshot_key=KEY)

    def test_it_is_checked_before_anything_is_inflated(self, inflated):
        forged = reseal(seal(STATE, TASK, 3, writer="w", snapshot_key=KEY), encode(STATE), key=b"another key")
        with pytest.raises(SnapshotError, match="not signed"):
            unseal(forged, TASK, 3, snapshot_key=KEY)
        assert not inflated

    @pytest.mark.parametrize("what", ["task", "kind", "shard"])
    def test_the_header_is_checked_before_anything_is_inflated(self, what, inflated):
        changes, task, told = OTHERS[what]
        with pytest.raises(SnapshotError, match=told):
            unseal(reseal(seal(STATE, TASK, 3, writer="w"), **changes), task, 3)
        assert not inflated

    def test_what_is_accepted_is_inflated_once(self, inflated):
        """The mutant: what is counted above is what reading does."""
        unseal(reseal(seal(STATE, TASK, 3, writer="w"), encode(STATE)), TASK, 3)
        assert inflated == [len(encode(STATE))]


class TestLimits:
    """A payload is inflated only if its size is known and allowed."""

    BOMB = zstandard.compress(bytes(1 << 26), 19)

    def bomb(self, payload, **changes):
        old = peek(seal(STATE, TASK, 3, writer="w"))
        changes = {"packed": len(payload), "sha256": hashlib.sha256(payload).hexdigest()} | changes
        return join(msgspec.structs.replace(old, **changes)) + payload

    @pytest.mark.parametrize("size", [1, 1 << 20, (1 << 26) + 1])
    def test_a_payload_of_another_size_than_the_header_says_is_not_inflated(self, size, inflated):
        with pytest.raises(DamagedError, match="another size"):
            unseal(self.bomb(self.BOMB, size=size), TASK, 3)
        assert not inflated

    def test_a_payload_that_does_not_say_its_size_is_not_inflated(self, inflated):
        payload = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))
        with pytest.raises(DamagedError, match="another size"):
            unseal(self.bomb(payload, size=1 << 20), TASK, 3)
        assert not inflated

    def test_a_state_that_is_too_large_is_not_inflated(self, inflated, monkeypatch):
        monkeypatch.setattr("headrace.learning.snapshot.sealed.SIZE", 1 << 20)
        with pytest.raises(SnapshotError, match="67,108,864 bytes, and at most 1,048,576"):
            unseal(self.bomb(self.BOMB, size=1 << 26), TASK, 3)
        assert not inflated

    def test_a_payload_that_lies_about_its_size_is_refused(self):
        """The size in the frame is the header's, but there is more, or less, in it."""
        for there in (1 << 12, 1 << 20):
            frame = bytearray(zstandard.compress(bytes(there)))
            said = zstandard.compress(bytes(1 << 16))
            frame[4:9] = said[4:9]
            with pytest.raises(SnapshotError):
                unseal(self.bomb(bytes(frame), size=1 << 16), TASK, 3)

    def test_a_header_that_is_too_long_is_refused(self):
        text = b" " * (1 << 20)
        head = MAGIC + FORMAT.to_bytes(2, "big") + len(text).to_bytes(4, "big") + text
        with pytest.raises(DamagedError, match="header is damaged"):
            peek(head + hashlib.sha256(head).digest())


class TestAnswers:
    def test_a_model_that_answers_differently_is_refused(self):
        wrong = answers(STATE)
        value, probabilities = wrong["champion"][7]
        label = next(iter(probabilities))
        nearly = probabilities[label] + 1e-16 + abs(probabilities[label]) * 3e-16
        wrong["champion"][7] = (value, probabilities | {label: nearly})
        data = reseal(seal(STATE, TASK, 3, writer="w"), answers=digest(wrong))
        with pytest.raises(SnapshotError, match="answers differently") as refusal:
            unseal(data, TASK, 3)
        assert "replay the log" in refusal.value.remedy

    def test_a_library_that_computes_otherwise_is_noticed(self, monkeypatch):
        data = seal(STATE, TASK, 3, writer="w")
        arm = type(STATE.arms["champion"])
        monkeypatch.setattr(arm, "predict", lambda self, features: Prediction(True, {True: 0.5, False: 0.5}))
        with pytest.raises(SnapshotError, match="answers differently"):
            unseal(data, TASK, 3)

    def test_a_model_that_cannot_answer_is_refused(self, monkeypatch):
        data = seal(STATE, TASK, 3, writer="w")

        class PanicException(BaseException):
            pass

        def panic(self, features):
            raise PanicException("range end index 9 out of range")

        monkeypatch.setattr(type(STATE.arms["champion"]), "predict", panic)
        with pytest.raises(SnapshotError, match="cannot be used: range end index 9 out of range"):
            unseal(data, TASK, 3)

    def test_a_state_changed_after_the_header_was_written_is_refused(self):
        other = learned(TASK, 61)
        other.position = 60
        data = reseal(seal(STATE, TASK, 3, writer="w"), encode(other), digest=digest(STATE))
        with pytest.raises(SnapshotError, match="its state is not what its header says"):
            unseal(data, TASK, 3)

    @pytest.mark.parametrize("payload", [None, (), (1, 2), [1], {"a": 1}, (STATE,), [STATE, {}], ({}, STATE)])
    def test_what_is_no_state_is_refused(self, payload):
        with pytest.raises(SnapshotError, match="does not hold a state"):
            unseal(reseal(seal(STATE, TASK, 3, writer="w"), encode(payload)), TASK, 3)

    def test_a_state_without_its_parts_is_refused(self):
        for name in vars(STATE):
            hollow = State.__new__(State)
            hollow.__dict__.update(vars(STATE))
            del hollow.__dict__[name]
            data = reseal(seal(STATE, TASK, 3, writer="w"), encode(hollow))
            with pytest.raises(SnapshotError):
                unseal(data, TASK, 3)


class TestDamage:
    @pytest.mark.parametrize("key", [None, KEY])
    def test_no_flipped_bit_goes_unnoticed(self, key):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=key)
        start = len(data) - peek(data).packed
        rng = random.Random(4)
        for place in [*range(start), *(rng.randrange(start, len(data)) for _ in range(500)), len(data) - 1]:
            for bit in {0, 7, rng.randrange(8)}:
                damaged = bytearray(data)
                damaged[place] ^= 1 << bit
                with pytest.raises(SnapshotError):
                    unseal(bytes(damaged), TASK, 3, snapshot_key=key)

    @pytest.mark.parametrize("key", [None, KEY])
    def test_no_cut_goes_unnoticed(self, key):
        data = seal(STATE, TASK, 3, writer="w", snapshot_key=key)
        start = len(data) - peek(data).packed
        for end in [*range(start + 2), *range(start, len(data), 97), len(data) - 1]:
            with pytest.raises(SnapshotError):
                unseal(data[:end], TASK, 3, snapshot_key=key)
        for longer in (data + b"\0", data + data, b"\0" + data):
            with pytest.raises(SnapshotError):
                unseal(longer, TASK, 3, snapshot_key=key)

    def test_what_is_no_snapshot_is_refused(self):
        rng = random.Random(5)
        for data in (b"", b"x", MAGIC, MAGIC * 40, rng.randbytes(500), MAGIC + bytes(2) + b"\xff" * 40):
            for read in (peek, lambda data: unseal(data, TASK, 3)):
                with pytest.raises(SnapshotError):
                    read(data)

    def test_parts_of_two_snapshots_do_not_make_one(self):
        one, other = (seal(state, TASK, 3, writer="w", snapshot_key=KEY) for state in (STATE, learned(TASK, 40)))
        cuts = [len(data) - peek(data).packed for data in (one, other)]
        for mixed in (one[: cuts[0]] + other[cuts[1] :], one[: cuts[0] - SUM] + other[cuts[1] - SUM :]):
            with pytest.raises(SnapshotError):
                unseal(mixed, TASK, 3, snapshot_key=KEY)


def test_sealing_and_unsealing_do_not_change_a_model_that_changes_when_it_is_asked(tmp_path, monkeypatch):
    """Labels that wait in a batch are not learned yet: the model has not met the features that it is probed with."""
    (tmp_path / "impure_model.py").write_text(
        "from river import linear_model, preprocessing\n"
        "def make():\n    return preprocessing.StandardScaler() | linear_model.LogisticRegression()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    task = Task(name="ads", kind="binary", model="impure_model:make", update=Update(batch=100))
    learner = Learner(task, 0)
    for offset in range(7):
        value = b'{"features": {"new%d": 1.5}, "label": true}' % offset
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=0, key=None, value=value)):
            pass
    before = digest(learner.state)
    learner.champion.predict({"unknown": 1.0})
    assert digest(learner.state) != before, "the model is pure: nothing would be shown"
    before = digest(learner.state)
    sealed = seal(learner.state, task, 0, writer="w")
    assert digest(learner.state) == before
    assert digest(unseal(sealed, task, 0, own_modules=("impure_model",))) == before
