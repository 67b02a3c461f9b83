"""When the ground moves under a shard: its log, its changelogs, its databases and its model fail, and nothing is silently wrong."""

import asyncio
import json
import shutil
from types import SimpleNamespace

import msgspec
import pytest
import zstandard
from worlds import WAITING, asking, is_right, learn, messages, run, until

from headrace.learning.errors import StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, Unanswered, Versions, define, fingerprint


def another(at, count):
    """Put another log in the place of the one that is there."""
    at.log.all[0] = [SimpleNamespace(**vars(m) | {"timestamp": m.timestamp + 7}) for m in messages(400, 0)]
    at.log.end[0] = count


def lost_tail(at, _):
    at.log.end[0] -= 10


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(("change", "count"), [(lost_tail, 0), (another, 5), (another, 50), (another, 200)])
def test_another_log_stops_the_shard_and_says_so(world, change, count, running):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        model = worker.shards.owned[0].learner
        if not running:
            await worker.shards.revoke()
        change(at, count)
        if not running:
            worker.shards.assign([0])
        elif count == 50:  # nothing tells it from the old one but a look, which a delivery brings about
            at.log.grow(0, 1)
            await worker.shards.owned[0].deliver(at.log.all[0][50:51], link="new")
        await until(lambda: worker.shards.owned[0].status == "stopped")
        error = worker.shards.owned[0].error
        assert "ads.events/0" in error
        assert "another log" in error
        assert "delete ads.snapshots and ads.pending" in error
        assert (model.state.position, model.state.updates) == (50, 50)  # nothing of the other log was folded
        await worker.stop()

    run(check())


def test_the_remedy_of_another_log_folds_the_one_that_is_there(world, tmp_path):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        another(at, 80)
        await until(lambda: worker.shards.owned[0].status == "stopped")
        await worker.stop()
        at.changelog.entries.clear()
        at.segments.entries.clear()
        again = at.worker("one")
        again.shards.assign([0])
        await is_right(at, again)
        await again.stop()

    run(check())


def test_a_delivery_over_a_new_connection_is_folded_only_after_a_look_at_the_log(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker, looks = at.worker("one"), []
        worker.shards.assign([0])
        await learn(at, worker, 10)
        shard, check = worker.shards.owned[0], worker.collaborators.log.check
        shard.collaborators.budget.clock = lambda: 1e6

        async def look(partition, last, position):
            looks.append(position)
            await check(partition, last, position)

        worker.collaborators.log.check = look
        shard.progress.compared_at = 1e6
        for link, delivered in (("one", 10), ("one", 11), ("two", 12), ("two", 13)):
            at.log.end[0] += 1
            await shard.deliver(at.log.all[0][delivered : delivered + 1], link)
        assert looks == [10, 12]
        await worker.stop()

    run(check())


def test_a_hole_is_passed_over_unless_the_topic_is_compacted(world):
    async def check(is_compacted):
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        at.log.is_compacted = is_compacted
        del at.log.all[0][55:58]
        at.log.all[0][50:] = at.log.all[0][50:]
        at.log.end[0] = 70
        await until(lambda: worker.shards.owned[0].status == "stopped" or worker.shards.owned[0].position == 70)
        shard = worker.shards.owned[0]
        assert (shard.status, shard.position) == (("stopped", 55) if is_compacted else ("live", 70))
        await worker.stop()

    run(check(is_compacted=False))
    run(check(is_compacted=True))


def test_entries_that_the_pending_topic_has_lost_are_folded_again(world, tmp_path):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        await worker.stop()
        at.segments.entries.clear()
        again = at.worker("one")
        again.shards.assign([0])
        await is_right(at, again)
        assert "ads.pending" in again.shards.owned[0].notice
        await learn(at, again, 100)
        await is_right(at, again)
        await again.stop()

    run(check())


def checkpoint(at, position):
    """Put a command in the place of the log's message there."""
    at.log.all[0][position] = SimpleNamespace(**vars(at.log.all[0][position]) | {"value": b'{"control": "checkpoint"}'})


@pytest.mark.parametrize("lost", ["manifest/", "chunk/"])
def test_versions_that_their_topic_has_lost_are_made_again(world, tmp_path, lost):
    """Else a rollback to them could not be folded."""

    async def check():
        at = world(Task(name="ads", kind="binary"))
        checkpoint(at, 30)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        (saved,) = worker.shards.owned[0].learner.state.versions.saved.values()
        await worker.stop()
        kept = [entry for entry in at.models.entries[0] if not entry.key.startswith(lost.encode())]
        assert len(kept) < len(at.models.entries[0])
        at.models.entries[0][:] = kept
        shutil.rmtree(tmp_path / "one")
        again = at.worker("one")
        again.shards.assign([0])
        await is_right(at, again)
        shard = again.shards.owned[0]
        assert "ads.versions" in shard.notice
        assert shard.versions.get(saved.digest) is not None
        await again.stop()

    run(check())


def test_a_restart_with_other_settings_goes_on_by_the_log_from_the_same_state(world, tmp_path):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        await worker.stop()
        at.task = msgspec.structs.replace(WAITING, model="alma", versions=Versions(every=7))
        again = at.worker("one")
        again.shards.assign([0])
        await until(lambda: again.shards.owned[0].status == "live")
        shard = again.shards.owned[0]
        assert shard.notice is None
        assert shard.learner.task.model == WAITING.model
        at.task = WAITING
        await is_right(at, again)
        await again.stop()

    run(check())


def first_definition(task, **changes):
    return b'{"control": "define", "first": true, "task": %b}' % msgspec.json.encode(
        msgspec.json.decode(define(task)) | changes
    )


def test_a_shard_that_had_begun_by_another_definition_than_the_first_owner_begins_again(world):
    async def check():
        task = Task(name="ads", kind="binary")
        at = world(task)
        at.log.all[0][60] = SimpleNamespace(**vars(at.log.all[0][60]) | {"value": first_definition(task, model="alma")})
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await learn(at, worker, 50)
        shard = worker.shards.owned[0]
        assert shard.learner.champion.model_name == "alma"
        assert shard.learner.state.updates == 99
        at.task = msgspec.structs.replace(task, model="alma")
        await is_right(at, worker)
        await worker.stop()

    run(check())


def test_what_waited_in_a_fold_that_had_begun_by_another_definition_does_not_count(world):
    """Its steps are others: a label would meet a question that was asked elsewhere."""

    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        row = json.loads(at.log.all[0][3].value.split(b"\n")[0])
        strict = first_definition(
            WAITING, features={name: {"type": "string"} for name in row.get("features", {"x": 0})}
        )
        at.log.all[0][60] = SimpleNamespace(**vars(at.log.all[0][60]) | {"value": strict})
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        assert worker.shards.owned[0].learner.join.describe()["waiting"] > 0
        await learn(at, worker, 100)
        shard = worker.shards.owned[0]
        wanted = Learner(msgspec.structs.replace(WAITING, features=shard.learner.task.features), 0)
        for message in at.log.all[0][:150]:
            list(wanted.fold(message))
        assert digest(shard.learner.state) == digest(wanted.state)
        assert shard.status == "live"
        await worker.stop()

    run(check())


def test_no_function_is_called_that_only_the_first_definition_of_the_log_names(world, tmp_path):
    async def check():
        task, touched = Task(name="ads", kind="binary"), tmp_path / "touched"
        at = world(task)
        evil = first_definition(task, model={"use": "os:system", "command": f"touch {touched}"})
        at.log.all[0][0] = SimpleNamespace(**vars(at.log.all[0][0]) | {"value": evil})
        at.log.end[0] = 10
        worker = at.worker("one")
        worker.shards.assign([0])
        await until(lambda: worker.shards.owned[0].status == "stopped")
        assert "worker.modules" in worker.shards.owned[0].error
        assert not touched.exists()
        await worker.stop()

    run(check())


def test_a_database_of_versions_with_a_hole_is_read_anew_from_its_topic(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        checkpoint(at, 30)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        table = worker.collaborators.versions.table
        held = [key for prefix in (b"manifest/", b"chunk/") for key, _ in table.items(0, prefix)]
        assert len(held) == 2
        for key in held:
            table.remove(0, key)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        assert worker.shards.owned[0].notice is None
        await worker.stop()

    run(check())


def test_a_pending_database_with_a_hole_is_read_anew_from_its_topic(world):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        table = worker.collaborators.pending
        for key, _ in list(table.items(0, b"s"))[-5:]:
            table.remove(0, key)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        assert worker.shards.owned[0].notice is None
        await worker.stop()

    run(check())


@pytest.mark.parametrize("wait", ["3s", "1000s"])
def test_the_snapshot_before_the_newest_is_taken_up_when_that_is_damaged(world, wait, tmp_path):
    """What waits for it is still there, though what had expired for the newest one may be purged."""

    async def check():
        at = world(Task(name="ads", kind="binary", wait=wait, unanswered=Unanswered(assume=False)))
        at.log.all[0] = list(asking(400))
        worker = at.worker("one")
        worker.shards.assign([0])
        for _ in range(5):
            await learn(at, worker, 40)
        await worker.stop()
        entries = at.changelog.entries[0]
        last = [entry for entry in entries if entry.key.startswith(b"manifest/") and entry.value][-1]
        damaged = last.value[:-9] + bytes([last.value[-9] ^ 1]) + last.value[-8:]
        entries[entries.index(last)] = last._replace(value=damaged)
        shutil.rmtree(tmp_path / "one")
        again = at.worker("one")
        again.shards.assign([0])
        await is_right(at, again)
        assert again.shards.owned[0].notice is None  # not folded from the beginning
        await learn(at, again, 100)
        await is_right(at, again)
        await again.stop()

    run(check())


@pytest.mark.parametrize("value", [b"", b"\n", b"not json\n", b'{"position": -1, "chunks": 0, "sha256": ""}\nx', b"\xff\xfe", b'{"position": 1000000000, "chunks": 9, "sha256": "ab"}\n'])  # fmt: skip
def test_an_unreadable_record_among_the_snapshots_is_passed_by(world, value):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker, other = at.worker("one"), at.worker("other")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await at.changelog.append(0, b"manifest/stranger/000000000001", value)
        await at.changelog.append(0, b"\x00offset?", value)
        await learn(at, worker, 50)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == 100)
        for one in (worker, other):
            await one.stop()

    run(check())


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no segment",
        zstandard.compress(b"no segment"),
        zstandard.compress(b"\x93\xa1a\xff\x90"),
        zstandard.compress(b"\x93\xa1\xff\x01\x90"),  # no UTF-8
        b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0",  # 2^40 bytes, as it says
        zstandard.compress(msgspec.msgpack.encode((fingerprint(define(WAITING)), 1, [(1, "q1", b"no entry")]))),
    ],
)
def test_an_unreadable_record_among_the_pending_is_passed_by(world, value):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await at.segments.append(0, b"stranger/1", value)
        await learn(at, worker, 50)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        assert worker.shards.owned[0].notice is None
        await worker.stop()

    run(check())


def test_a_manifest_that_names_another_position_than_its_snapshot_is_passed_by(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker, other = at.worker("one"), at.worker("other")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        value = [e.value for e in at.changelog.entries[0] if e.key.startswith(b"manifest/") and e.value][-1]
        far = json.loads(value.split(b"\n", 1)[0]) | {"position": 1_000_000_000}
        await at.changelog.append(
            0, b"manifest/stranger/000000000001", json.dumps(far).encode() + b"\n" + value.split(b"\n", 1)[1]
        )
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == 50)
        for one in (worker, other):
            await one.stop()

    run(check())


@pytest.mark.parametrize("which", ["changelog", "segments"])
@pytest.mark.parametrize("left", [0, 3, 1000])
def test_a_changelog_that_was_made_anew_while_the_worker_runs_is_read_anew(world, which, left):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(300))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        changelog = getattr(at, which)
        changelog.entries.clear()
        for number in range(left):
            changelog.put(b"g/%d" % number, None)
        await learn(at, worker, 100)
        await is_right(at, worker)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        await worker.stop()

    run(check())


def damage(folder, kind, how):
    """Harm the files of a closed or an open database."""
    for path in folder.glob(kind):
        if how == "deleted":
            path.unlink()
        elif how == "cut":
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)
        elif path.stat().st_size:
            data = bytearray(path.read_bytes())
            for at in range(0, len(data), max(len(data) // 16, 1)):
                data[at] ^= 0xFF
            path.write_bytes(data)


@pytest.mark.parametrize("table", ["snapshots", "pending"])
@pytest.mark.parametrize("kind", ["*.sst", "MANIFEST-*", "CURRENT", "*.log", "*"])
@pytest.mark.parametrize("how", ["flipped", "cut", "deleted"])
def test_a_database_that_was_damaged_while_no_worker_ran_is_read_anew(world, tmp_path, table, kind, how):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(300))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 100)
        for opened in (worker.table, worker.collaborators.pending):
            opened._shards[0]._db.flush()
        await learn(at, worker, 20)
        await worker.stop()
        damage(tmp_path / "one" / table / "0", kind, how)
        again = at.worker("one")
        again.shards.assign([0])
        await is_right(at, again)
        await learn(at, again, 100)
        await is_right(at, again)
        await again.stop()

    run(check())


USED = [("snapshots", "put"), ("snapshots", "items"), ("snapshots", "delete"), ("pending", "get"), ("pending", "write"), ("pending", "items")]  # fmt: skip
"""The operations that the tables use here whatever happens."""


@pytest.mark.parametrize(("table", "operation"), USED)
@pytest.mark.parametrize(
    "what", ["IO error: No space left on device: While appending", "Corruption: block checksum mismatch"]
)
def test_a_database_that_fails_in_use_is_opened_anew_as_often_as_it_takes(world, monkeypatch, table, operation, what):
    """Now and then an operation fails, and stays so until the database has been opened anew three times."""

    async def check():
        at = world(Task(name="ads", kind="binary", wait="3s", unanswered=Unanswered(assume=False)))
        at.log.all[0] = list(asking(300))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 60)
        failing = worker.table if table == "snapshots" else worker.collaborators.pending
        database, failed = type(failing._shards[0]), []
        sound = getattr(database, operation)

        def fails(self, *arguments):
            if f"/{table}/" in f"{self.path}/" and len(failed) < 3:
                failed.append(self)
                raise self._failed(Exception(what))
            return sound(self, *arguments)

        monkeypatch.setattr(database, operation, fails)
        at.log.grow(0, 100)
        await is_right(at, worker)
        await learn(at, worker, 100)
        assert len(failed) == 3
        await is_right(at, worker)
        await worker.stop()

    run(check())


class Panic(BaseException):
    """As River's Rust raises it."""


@pytest.mark.parametrize(
    "raised",
    [Panic("a bug"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit(), OSError("no"), ValueError(), StopIteration()],
)  # fmt: skip
@pytest.mark.parametrize("method", ["learn_one", "predict_proba_one"])
def test_whatever_a_model_raises_stops_its_shard_and_nothing_is_folded_twice(world, raised, method):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 10)
        worker.collaborators.snapshot_records = worker.collaborators.snapshot_seconds = (
            10**9
        )  # a snapshot asks the model too
        shard = worker.shards.owned[0]
        model, scored = shard.learner.champion.model, shard.learner.champion.scoreboard

        class Failing:
            """Fails at the third record."""

            left = 2

            def __getattr__(self, name):
                def call(*arguments):
                    if name == method:
                        if self.left == 0:
                            raise raised
                        self.left -= 1
                    return getattr(model, name)(*arguments)

                return call

        shard.learner.champion.model = Failing()
        at.log.grow(0, 10)
        await until(lambda: shard.status == "stopped")
        assert plain_error(raised) in shard.error
        assert "raised by the model 'logistic' of the arm 'champion'" in shard.error
        assert shard.position == 12
        for _ in range(3):
            await shard.deliver(at.log.all[0][12:20])
        assert (shard.position, shard.learner.state.updates) == (12, 12)
        assert scored is shard.learner.champion.scoreboard
        await worker.stop()

    run(check())


def test_a_learner_refuses_to_fold_in_the_middle_of_a_message():
    learner = Learner(Task(name="ads", kind="binary"), 0)
    two = SimpleNamespace(offset=0, timestamp=0, key=None, value=b'{"features": {"x": 1}, "label": true}\n' * 2)
    next(learner.fold(two))
    with pytest.raises(ValueError, match="in part"):
        next(learner.fold(two))


def test_a_stopped_shard_keeps_its_error_when_a_snapshot_ends_late(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker, goes_on = at.worker("one"), asyncio.Event()
        worker.shards.assign([0])
        await learn(at, worker, 10)
        shard, save = worker.shards.owned[0], worker.collaborators.snapshots.save

        async def slowly(*arguments):
            await goes_on.wait()
            await save(*arguments)

        worker.collaborators.snapshots.save = slowly
        at.log.grow(0, 10)
        await until(lambda: shard.saver.errands.are_running)
        await shard.stop(StoreError("the cause.", "The remedy."))
        goes_on.set()
        await shard.saver.wait()
        assert (shard.status, shard.error) == ("stopped", "the cause. The remedy.")
        await worker.stop()

    run(check())


def test_an_opening_shard_says_what_it_waits_for(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        first, second = at.worker("one"), at.worker("one")
        first.shards.assign([0])
        await learn(at, first, 10)
        second.shards.assign([0])
        await until(lambda: second.shards.owned[0].error is not None)
        assert "lock" in second.shards.owned[0].error.lower()
        await first.stop()
        await until(lambda: second.shards.owned[0].status == "live")
        assert second.shards.owned[0].error is None
        await second.stop()

    run(check())
