"""Read encodings, snapshots, manifests and addresses that nobody wrote: none may do more than be refused, or be read.

    PYTHONPATH=tests .venv/bin/python tests/crash/fuzz_states.py --cases 10000000 --seed 7 [--only encoding,state,snapshot,manifest,segment,address]

What real states are encoded as is changed: token by token, with tags and codes that exist, byte by byte, attribute by attribute, and by
tokens that are repeated and nested a hundred thousand times. All is read in a child process with little memory, whose interpreter tells of
every import, file, socket, process and evaluated text. It is wrong if there is one, if a class or a function of the table is changed, if
the child is ended by a signal or lacks memory, if one case takes more than a second of its time, if a state is taken up that a learner
cannot go on from, or one that was not signed where there is a key.

It stops by itself, and exits with status 0 only if nothing was wrong. A case follows from the seed and its number alone.
"""

import argparse
import gc
import hashlib
import json
import mmap
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from pathlib import Path
from types import FunctionType

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

NO_MEMORY = "there is not enough memory"
"""How an error is told that has used up the memory of a case."""

MEMORY = 3 << 30
"""Bytes of address space that the child may have: four times what it takes for what it imports."""

CASE_SECONDS = 1.0
"""Seconds of processor time that one case may take."""

STUCK_SECONDS = 30.0
"""How long a case may last by the clock: the machine may have other things to do."""

LARGEST = 2_500
"""Bytes of the encodings that are changed: a short one is changed as well as a long one, and read sooner."""

BATCH = 2_000
"""Cases between two looks at the classes."""

KINDS = ("encoding", "state", "snapshot", "manifest", "segment", "address")

KEY = b"a key that all workers have here"


# --- what is changed


def states():
    """Encodings of models and of learners' states."""
    import zoo

    from headrace.learning.models import names_for
    from headrace.learning.snapshot import encode
    from headrace.learning.state import State
    from headrace.learning.task import Task

    found = []
    for kind, make in zoo.MODELS.values():
        model = make()
        for x, y in zoo.rows(kind, 25):
            model.learn_one(x, y)
        found.append(encode(model))
    for kind in ("binary", "multiclass", "regression"):
        for name in names_for(kind):
            found.append(encode(State(Task(name="t", kind=kind, model=name))))
    found += [encode(part) for part in zoo.PARTS]
    return [data for data in found if len(data) <= LARGEST]


def learned_states():
    """Tasks, with the encodings of their states after some records."""
    from worlds import messages

    from headrace.learning.fold.learner import Learner
    from headrace.learning.snapshot import encode
    from headrace.learning.task import Task

    found = []
    for kind, model in (
        ("binary", "logistic"),
        ("binary", "hoeffding_tree"),
        ("multiclass", "naive_bayes"),
        ("regression", "linear"),
    ):
        task = Task(name="t", kind=kind, model=model, wait="1h", order="event_time")
        learner = Learner(task, 0)
        for message in messages(20, seed=0):
            for _ in learner.fold(message):
                pass
        found.append((task, encode(learner.state)))
    return found


def tokens_of(data):
    """The tokens of an encoding, as lists."""
    import msgspec

    at, tokens = 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        tokens += msgspec.msgpack.decode(data[at + 4 : at + 4 + size])
        at += 4 + size
    return tokens


def framed(tokens):
    """Tokens as an encoding of one frame."""
    import msgspec

    data = msgspec.msgpack.encode(tokens)
    return len(data).to_bytes(4, "big") + data


class Mutator:
    """Makes cases out of real encodings."""

    def __init__(self):
        import msgspec

        from headrace.learning.encoding import table
        from headrace.learning.encoding.form import Code

        self.encodings = states()
        self.tokens = [tokens_of(data) for data in self.encodings]
        self.packed, self.unpack = (
            [msgspec.msgpack.encode(tokens) for tokens in self.tokens],
            msgspec.msgpack.Decoder().decode,
        )
        self.codes = list(Code)
        self.tags = [
            *table.PLACES,
            *table.LEAF_BY_TAG,
            "os:system",
            "posix:system",
            "builtins.eval",
            "zoo:length_of",
            "",
            "a:b.c",
        ]
        self.names = [
            "__class__",
            "__dict__",
            "__init__",
            "learn_one",
            "predict_one",
            "_rng",
            "weights",
            "lr",
            "x" * 300,
            "clip_gradient",
        ]

    def encoding(self, dice):
        """One encoding."""
        if dice.random() < 0.0005:
            return self.repeated(dice)
        if dice.random() < 0.3:
            return self.flipped(dice, dice.choice(self.encodings))
        tokens = self.unpack(dice.choice(self.packed))
        for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
            self.change(dice, tokens)
        try:
            data = framed(tokens)
        except (OverflowError, UnicodeEncodeError, TypeError, RecursionError, ValueError):
            return b""
        return self.flipped(dice, data) if dice.random() < 0.1 else data

    def repeated(self, dice):
        """Tokens over and over: each block beside the others, or within the one before."""
        block = dice.choice(
            (
                [4, 1], [6, 0, None, 1], [6, 1, None, 1], [6, 2, None, 1], [6, 3, [18, "list"], 1], [8, None, 1], [8, 5, 1], [9, 1],
                [3], [5, 3, None, {}], [7, None], [10], [11, [11]], [15, b""], [16, "<f8", [0], "C", b""], [17, "<f8", bytes(8)],
                [1, "river.optim.sgd.SGD/1", ["a", "b"]], [20, [18, "list"], [], [], []], [21, "river.VectorDict/1", {}], {}, [0, 0],
                [21, "random.Random/1", 3, bytes(2500), None], [13, bytes(200)],
            )
        )  # fmt: skip
        count = dice.choice((1_100, 20_000, 100_000))
        is_dict = isinstance(block, list) and block[0] == 6
        tokens = ["k", block] * count if is_dict else [block] * count
        if dice.random() < 0.5:
            tokens = [[4, len(tokens)], *tokens]
        elif is_dict:
            del tokens[0]
        data = framed([*tokens, None])
        return data if len(data) < 1 << 20 else b""

    def change(self, dice, tokens):
        """Change one place in a nest of lists."""
        at = tokens
        while True:
            if isinstance(at, dict):
                if at:
                    at[dice.choice(list(at))] = self.value(dice)
                return
            if not at:
                at.append(self.value(dice))
                return
            number = dice.randrange(len(at))
            if isinstance(at[number], (list, dict)) and dice.random() < 0.7:
                at = at[number]
                continue
            what = dice.randrange(6)
            if what == 0:
                del at[number]
            elif what == 1:
                at.insert(number, self.value(dice))
            elif what == 2:
                at[number] = json_copy(at[dice.randrange(len(at))])
            elif what == 3:
                other = dice.choice(self.tokens)
                at[number] = json_copy(other[dice.randrange(len(other))])
            elif what == 4 and isinstance(at[number], bytes):
                at[number] = self.flipped(dice, at[number])
            else:
                at[number] = self.value(dice)
            return

    def value(self, dice):
        """Any value, or a token made up."""
        return dice.choice(
            (
                lambda: None,
                lambda: dice.random() < 0.5,
                lambda: dice.choice((0, 1, -1, 2, 7, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 10**6)),
                lambda: dice.choice((0.0, -0.0, 1e308, float("nan"), float("inf"), 5e-324)),
                lambda: dice.choice(self.tags),
                lambda: dice.choice(self.names),
                lambda: dice.randbytes(dice.choice((0, 1, 8, 33, 2496, 2500))),
                lambda: {dice.choice(self.names): dice.random() for _ in range(dice.randrange(4))},
                lambda: [self.plain(dice) for _ in range(dice.randrange(5))],
                lambda: [int(dice.choice(self.codes)), *(self.plain(dice) for _ in range(dice.randrange(6)))],
                lambda: [
                    int(dice.choice(self.codes)),
                    dice.choice(self.tags),
                    *(self.plain(dice) for _ in range(dice.randrange(5))),
                ],
                lambda: self.nested(dice),
            )
        )()

    def plain(self, dice):
        """A value that is quickly made."""
        return dice.choice(
            (
                None,
                0,
                1,
                3,
                10**9,
                2.5,
                "a",
                b"",
                True,
                [0, dice.randrange(5)],
                dice.choice(self.tags),
                [18, dice.choice(self.tags)],
            )
        )

    def nested(self, dice):
        """A token in a token in a token."""
        value = self.plain(dice)
        for _ in range(dice.choice((3, 10, 50, 400))):
            value = [int(dice.choice(self.codes)), value]
        return value

    @staticmethod
    def flipped(dice, data):
        """Bytes with some changed, cut off or put in."""
        data = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 5))):
            if not data:
                break
            at, what = dice.randrange(len(data)), dice.randrange(4)
            if what == 0:
                data[at] ^= 1 << dice.randrange(8)
            elif what == 1:
                data[at] = dice.randrange(256)
            elif what == 2:
                del data[at : at + dice.choice((1, 4, 40))]
            else:
                data[at:at] = dice.randbytes(dice.choice((1, 4, 16)))
        return bytes(data)


def json_copy(value):
    """A copy of a nest of lists and dicts."""
    if isinstance(value, list):
        return [json_copy(part) for part in value]
    return dict(value) if isinstance(value, dict) else value


# --- the child


class Reading:
    """Reads cases, one after the other, as the product does."""

    def __init__(self):
        import msgspec

        from headrace.app.peers import ADDRESS, Peers
        from headrace.learning.encoding import table
        from headrace.learning.fold.learner import Learner
        from headrace.learning.snapshot import decode, digest, encode, peek, seal, unseal
        from headrace.learning.snapshot.sealed import answers
        from headrace.learning.task import Task, define, fingerprint
        from headrace.tables.segment import Packer
        from headrace.tables.snapshots import Snapshots

        self.mutator = Mutator()
        self.decode, self.peek, self.unseal, self.msgspec = decode, peek, unseal, msgspec
        self.encode, self.digest, self.answers = encode, digest, answers
        self.task = Task(name="t", kind="binary", model="logistic")
        self.sealed = seal(Learner(self.task, 0).state, self.task, 0, writer="w")
        self.signed = seal(Learner(self.task, 0).state, self.task, 0, writer="w", snapshot_key=KEY)
        self.learner, self.states = Learner, learned_states()
        self.whole_address = ADDRESS.fullmatch
        self.peers = Peers("http://127.0.0.1:6066")
        self.packers = Packer("t", None), Packer("t", KEY)
        self.table = SimpleTable()
        self.snapshots = Snapshots(self.table, "w")
        self.things = {tag: table.find(tag) for tag in table.PLACES}
        self.outcomes = Counter()
        self.fingerprint = lambda task: fingerprint(define(task))

    def run(self, kind, dice):
        """Read one case; how it ended."""
        from headrace.learning.errors import SnapshotError

        try:
            return getattr(self, kind)(dice)
        except SnapshotError as error:
            if NO_MEMORY in str(error):
                raise
            return "refused"

    def state(self, dice):
        """A state in which a place holds something else, sealed as its owner would have sealed it."""
        import zstandard

        task, encoding = dice.choice(self.states)
        state = self.decode(encoding, ("zoo",))
        for _ in range(dice.choice((1, 1, 2))):
            self.misplace(dice, state)
        encoding = self.encode(state)
        payload = zstandard.compress(encoding)
        digests = {"digest": hashlib.sha256(encoding).hexdigest(), "sha256": hashlib.sha256(payload).hexdigest()}
        try:
            digests["answers"] = self.digest(self.answers(state))
        except Exception:
            digests["answers"] = "0" * 64
        position = state.position if type(getattr(state, "position", None)) is int else 0
        old = self.msgspec.to_builtins(self.peek(self.sealed))
        old |= digests | {"kind": task.kind, "fingerprint": self.fingerprint(task), "position": position}
        told = json.dumps(old | {"size": len(encoding), "packed": len(payload)}).encode()
        head = self.sealed[:10] + len(told).to_bytes(4, "big") + told
        found = self.unseal(head + hashlib.sha256(head).digest() + payload, task, 0)
        learner = self.learner(task, 0, found)
        assert learner.between_messages
        return "read"

    def misplace(self, dice, state):
        """Put something into a place of a state, or of one of its parts."""
        at = state
        while True:
            places = at if isinstance(at, dict) else vars(at)
            name = dice.choice(list(places))
            inner = places[name]
            if (
                dice.random() < 0.8
                and (isinstance(inner, dict) or hasattr(inner, "__dict__"))
                and (inner if isinstance(inner, dict) else vars(inner))
            ):
                at = inner
                continue
            places[name] = dice.choice(self.odd)() if dice.random() < 0.9 else places[dice.choice(list(places))]
            return

    odd = (
        lambda: None, lambda: -1, lambda: 2**63, lambda: 10**400, lambda: 0.5, lambda: float("nan"), lambda: "x", lambda: b"x", list,
        dict, lambda: (), lambda: (1, 2), lambda: [(1, 2)], lambda: {"a": 1}, lambda: {"a": None}, lambda: deque([1], 3), lambda: True,
        lambda: [[1]], lambda: {1: {2: 3}}, lambda: Counter("ab"), lambda: ("a", 0), lambda: {"champion": None},
    )  # fmt: skip

    def encoding(self, dice):
        data = self.mutator.encoding(dice)
        value = self.decode(data, ("zoo",), 1 << 20)
        del value
        return "read"

    def snapshot(self, dice):
        import zstandard

        what = dice.randrange(5)
        if what == 4:
            return self.authentic(dice)
        old = self.peek(self.sealed)
        payload = self.sealed[-old.packed :]
        if what == 0:
            data = self.mutator.flipped(dice, self.sealed)
        else:
            changes = {}
            if what == 2:
                payload = zstandard.compress(bytes(dice.choice((0, 1, 1 << 16, 1 << 24))))
            if what == 3:
                encoding = self.mutator.encoding(dice)
                payload = zstandard.compress(encoding)
                changes = {"size": len(encoding), "digest": hashlib.sha256(encoding).hexdigest()}
            if dice.random() < 0.3:
                payload = self.mutator.flipped(dice, payload)
            changes |= {"packed": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
            for name in dice.sample(
                ("position", "size", "packed", "digest", "answers", "format", "signed", "libraries"), dice.randrange(3)
            ):
                changes[name] = dice.choice((0, 1, -1, 2**40, 2**63, 1 << 30, "a", "0" * 64, None, [], {}, True, 1.5))
            told = json.dumps(self.msgspec.to_builtins(old) | changes).encode()
            if dice.random() < 0.1:
                told = self.mutator.flipped(dice, told)
            head = (
                self.sealed[:10] + dice.choice((len(told), len(told), len(told), 2**32 - 1)).to_bytes(4, "big") + told
            )
            data = head + hashlib.sha256(head).digest() + payload
        self.unseal(data, self.task, 0)
        return "read"

    def authentic(self, dice):
        """A signed snapshot that was changed: only with the key is one made that is taken up."""
        if dice.random() < 0.5:
            data = self.mutator.flipped(dice, self.signed)
        else:  # all sums are made right again
            told = self.msgspec.to_builtins(self.peek(self.signed))
            told[dice.choice(("writer", "task"))] += dice.choice("abc") if dice.random() < 0.8 else ""
            told = json.dumps(told | {"task": "t"}).encode()
            head = self.signed[:10] + len(told).to_bytes(4, "big") + told
            rest = self.signed[len(self.signed) - self.peek(self.signed).packed - 32 :]
            data = head + hashlib.sha256(head).digest() + rest
        self.unseal(data, self.task, 0, snapshot_key=KEY)
        assert data == self.signed
        return "read"

    def manifest(self, dice):
        place = dice.choice(
            ("w/000000000001", "zz/000000000009", "zz", "", "/", "../x/000000000001", "w/1", "\xff/000000000001")
        )
        told = {"position": dice.choice((0, 5, -1, 2**63 - 1, 2**63, 1.5, "a", None, True)), "chunks": dice.choice((0, 1, 7, 10_000, 10_001, 2**60, -1, "a")),
                "sha256": dice.choice((hashlib.sha256(self.sealed).hexdigest(), "", 5, "0" * 64))}  # fmt: skip
        if dice.random() < 0.3:
            place = "w/000000000001"
            told |= {"position": 0, "chunks": 0, "sha256": hashlib.sha256(self.sealed).hexdigest()}
        head = json.dumps(told).encode()
        if dice.random() < 0.3:
            head = self.mutator.flipped(dice, head)
        value = head + dice.choice((b"\n", b"", b"\n\n")) + dice.choice((self.sealed, b"", b"garbage"))
        self.table.put_now(f"manifest/{place}".encode("latin-1"), value)
        outcome = "refused"
        for found in self.snapshots.furthest_first(0):
            assert 0 <= found.position < 2**63
            self.peek(found.read())
            outcome = "read"
        return outcome

    def segment(self, dice):
        """A record of what waits in the join."""
        import zstandard

        from headrace.tables.segment import SegmentError

        packer = dice.choice(self.packers)
        entry = self.msgspec.msgpack.encode(
            dice.choice(
                ([2, 17, 1, 3], [1, 17, True, [1, 0, None, b"{}"]], [0, 17, {"x": 1.0}, {"champion": None}, None])
            )
        )
        waiting = [
            [number, "a", entry]
            for number in range(dice.choice((0, 1, 3, 4_000, 5_000 if dice.random() < 0.02 else 1)))
        ]
        parts = ["f", dice.choice((0, 17, -1, 2**63, "a")), waiting]
        if dice.random() < 0.5:
            self.mutator.change(dice, parts)
        try:
            data = self.msgspec.msgpack.encode(parts)
        except (OverflowError, UnicodeEncodeError, TypeError):
            return "refused"
        if dice.random() < 0.4:
            data = self.mutator.flipped(dice, data)
        if dice.random() < 0.02:
            data = bytes(dice.choice((1 << 20, 1 << 24)))
        frame = zstandard.compress(data)
        if dice.random() < 0.2:
            frame = self.mutator.flipped(dice, frame)
        signed = dice.random() < 0.7
        try:
            packer.unpack(0, b"w/1", (packer._sign(0, b"w/1", frame) if signed else bytes(32)) + frame)
        except SegmentError:
            return "refused"
        assert signed
        return "read"

    def address(self, dice):
        text = dice.choice(("http://127.0.0.1:6066", "http://[::1]:80", "http://a.b-c:1"))
        text = self.mutator.flipped(dice, text.encode()).decode("latin-1") if dice.random() < 0.9 else text
        if dice.random() < 0.3:
            text += dice.choice(("/", "?a=b", "#x", "@evil:80", "\\evil", "\r\nX: y", " ", ":80", "\x00", "%2f"))
        if self.peers.admit(text):
            assert text.startswith("http://")
            assert self.whole_address(text)
            assert not set(text[len("http://") :]) & set("/\\@?# \r\n\t%")
            return "read"
        return "refused"

    def prints(self):
        """What all that the table names looks like: a class or a function that was changed prints otherwise."""
        found = []
        for tag, thing in self.things.items():
            if isinstance(thing, type) and thing.__flags__ & (1 << 9):
                attributes = {name: id(value) for name, value in vars(thing).items() if name != "__slotnames__"}
                found.append((tag, attributes))
            elif isinstance(thing, FunctionType):
                found.append((tag, id(thing.__code__), id(thing.__defaults__), dict(thing.__dict__)))
        return found


class SimpleTable:
    """A table with one manifest."""

    def __init__(self):
        self.entry = (b"manifest/w/000000000001", b"")

    def put_now(self, key, value):
        self.entry = (key, value)

    def items(self, partition, prefix):
        return [self.entry] if self.entry[0].startswith(prefix) else []

    def get(self, partition, key):
        return self.entry[1] if key == self.entry[0] else None


WATCHED = ("import", "open", "exec", "compile", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pickle.", "marshal.", "code.__new__",
           "function.__new__", "object.__setattr__", "builtins.input", "urllib.", "tempfile.", "glob.", "webbrowser.", "sqlite3.")  # fmt: skip


def begin():
    """Called after the warm-up, before the first case: a mutant changes something here."""


def warmed_up(kinds):
    """A reader that has imported what is imported where it is first used."""
    gc.disable()
    os.environ["RUST_BACKTRACE"] = "0"
    reading = Reading()
    for kind in kinds:
        for number in range(300):
            reading.run(kind, random.Random(f"warm {kind} {number}"))
    return reading


def child(options, reading):
    """Read cases until they are done; the case that is being read stands in the shared file."""
    reading.outcomes.clear()
    kinds = options.only.split(",")
    with Path(options.shared).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 16)
    told: list[str] = []
    watching = False

    def watch(event, arguments):
        if watching and event.startswith(WATCHED):
            told.append(f"{event} {str(arguments)[:200]}")

    sys.addaudithook(watch)
    begin()
    gc.collect()
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    before = reading.prints()
    null = os.open(os.devnull, os.O_WRONLY)
    err = os.dup(2)
    os.dup2(null, 2)  # what River's Rust parts say of a panic
    wrong = []
    for number in range(options.start, options.cases, options.step):
        kind = kinds[number // 10 % len(kinds)] if number % 10 == 0 else kinds[0]
        shared[:8] = struct.pack("q", number)
        started = time.process_time()
        watching = True
        try:
            outcome = reading.run(kind, random.Random(f"{options.seed} {number}"))
        except BaseException as error:
            outcome = f"raised {type(error).__name__}"
            watching = False
            wrong.append(f"case {number} ({kind}) raised {error!r}")
        watching = False
        took = time.process_time() - started
        if took > CASE_SECONDS:
            wrong.append(f"case {number} ({kind}) took {took:.1f} s")
        if told:
            wrong.append(f"case {number} ({kind}): {told}")
            told.clear()
        reading.outcomes[f"{kind} {outcome}"] += 1
        if number // options.step % BATCH == BATCH - 1:
            gc.collect()
            if reading.prints() != before:
                wrong.append(f"a class or a function was changed in the {BATCH} cases before {number}")
                before = reading.prints()
        if len(wrong) > 5:
            break
    os.dup2(err, 2)
    if reading.prints() != before:
        wrong.append("a class or a function was changed in the last cases")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"outcomes": reading.outcomes, "wrong": wrong, "peak": peak}))


# --- the parent


def start(words, out):
    """Start a child with these options; its output goes to a file."""
    with out.open("wb") as file:
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        return subprocess.Popen([sys.executable, __file__, *words], stdout=file, env=environment)


def run(options, start=start) -> bool:
    """Have the cases read by a child that `start` starts; whether nothing was wrong."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        shared = Path(folder) / "shared"
        shared.write_bytes(struct.pack("qq", -1, 0))  # no case is being read yet
        words = ["--child", "--shared", str(shared), "--cases", str(options.cases), "--seed", str(options.seed),
                 "--only", options.only, "--start", str(options.start), "--step", str(options.step)]  # fmt: skip
        started = time.monotonic()
        process = start(words, Path(folder) / "out")
        case, since = -1, time.monotonic() + 120  # it imports and warms up first
        while process.poll() is None:
            time.sleep(0.2)
            now = struct.unpack("q", shared.read_bytes()[:8])[0]
            if now != case:
                case, since = now, time.monotonic()
            elif time.monotonic() - since > STUCK_SECONDS:
                process.kill()
                process.wait()
                print(f"case {case} did not end within {STUCK_SECONDS:.0f} s")
                return False
        out = (Path(folder) / "out").read_text()
        if process.returncode != 0:
            print(f"the child ended with status {process.returncode} in case {case}\n{out}")
            return False
        told = json.loads(out.splitlines()[-1])
        for what in told["wrong"]:
            print(what)
        took = time.monotonic() - started
        print(
            f"{sum(told['outcomes'].values()):,} cases of seed {options.seed} in {took:.0f} s, {told['peak'] >> 10} MB at most: {told['outcomes']}"
        )
        return not told["wrong"]


def parse():
    """Parse the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--start", type=int, default=0, help="the first case")
    parser.add_argument("--step", type=int, default=1, help="read every so manieth case")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--shared", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Parse the options and run."""
    options = parse()
    if options.child:
        child(options, warmed_up(options.only.split(",")))
    else:
        sys.exit(not run(options))


if __name__ == "__main__":
    main()
