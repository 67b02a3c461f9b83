"""The kernel folds many rows at once: every state and every effect is the one of the general way, to the last bit."""

import json
import random
import subprocess
import sys

import pytest
from drifting_logs import EAGER, GUARD, OFTEN, auto
from river import datasets
from thorough import some

from headrace.learning import kernel
from headrace.learning.encoding import decode, digest, encode
from headrace.learning.fold import learner as fold
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.warm_up import warm_up
from headrace.learning.records.message import Message
from headrace.learning.task import ArmSettings, Cost, Experiment, Feature, Guard, Task, Threshold, Versions

EVIDENCE = {"use": "evidence", "between": 300}

ACTING = {
    "guard": GUARD,
    "versions": OFTEN,
    "detectors": [EAGER, EVIDENCE, {"use": "page_hinkley", "threshold": 2.0}],
    "reactions": [
        auto("boost", "error", factor=4, over=20),
        auto("background", "error", give_up=80, cooldown=150),
        auto("reset", "error", cooldown=400),
    ],
}

TASKS = {
    "defaults": Task(name="any", kind="binary"),
    "versions": Task(name="any", kind="binary", versions=Versions(every=40, keep=3), detectors=[EAGER, EVIDENCE]),
    "acting": Task(name="any", kind="binary", **ACTING),
    "penalty": Task(name="any", kind="binary", model={"use": "logistic", "l2": 0.01, "clip": 0.3, "learning_rate": 0.5}),
    "cutoff": Task(name="any", kind="binary", threshold=0.3, versions=Versions(every=60)),
    "costs": Task(name="any", kind="binary", threshold=Threshold(false_positive=1, false_negative=5)),
    "no guards": Task(name="any", kind="binary", guard=Guard(against=[], label_rate=False), detectors=[]),
    "momentum": Task(name="any", kind="binary", model={"use": "logistic", "momentum": 0.9, "l2": 0.01, "learning_rate": 0.2}, **ACTING),
    "ftrl": Task(name="any", kind="binary", model="ftrl", versions=Versions(every=60)),
    "ftrl sparse": Task(name="any", kind="binary", model={"use": "ftrl", "l1": 3.0, "alpha": 0.5}),
    "passive": Task(name="any", kind="binary", model="pa", versions=Versions(every=60)),
    "passive 0": Task(name="any", kind="binary", model={"use": "pa", "mode": 0, "c": 0.1}, **ACTING),
    "passive 2": Task(name="any", kind="binary", model={"use": "pa", "mode": 2, "c": 1}),
    "declared": Task(
        name="any", kind="binary",
        features={"a": Feature(min=-1e6, optional=True), "b": Feature(optional=True), "c": Feature(type="string", optional=True),
                  "d": Feature(type="bool", optional=True), "e": Feature(type="int", optional=True)},
    ),
    "name limit": Task(name="any", kind="binary", name_limit=4),
    "event time": Task(name="any", kind="binary", order="event_time"),
    "challenger": Task(name="any", kind="binary", arms={"other": ArmSettings(model="alma")}, experiments=[Experiment(b="other")]),
    "published": Task(name="any", kind="binary", predictions=True),
    "published and acting": Task(name="any", kind="binary", predictions=True, wait="100s", **ACTING),
    "published numbers": Task(name="any", kind="regression", predictions=True, **ACTING | {"detectors": [EAGER]}),
    "ingested": Task(name="any", kind="binary", predictions=True),
    "watched": Task(
        name="any", kind="binary", predictions=True, segments=["c", "d"],
        **ACTING | {"detectors": [EAGER | {"watch": ["error", "score", "label_rate", "features"]}, EVIDENCE | {"watch": ["label_rate", "error"]}]},
    ),
    "watched calmly": Task(name="any", kind="binary", detectors=[{"use": "adwin", "watch": ["score", "label_rate", "feature:a", "error"]}]),
    "watched numbers": Task(
        name="any", kind="regression", segments=["c"], detectors=[EAGER | {"watch": ["score", "feature:b", "label_rate"]}, {"use": "ks", "watch": "features"}]
    ),
    "numbers": Task(name="any", kind="regression", versions=Versions(every=50, keep=3)),
    "acting numbers": Task(name="any", kind="regression", **ACTING | {"detectors": [EAGER, EVIDENCE]}),
    "numbers clipped": Task(name="any", kind="regression", model={"use": "linear", "l2": 0.1, "clip": 1.0, "intercept_learning_rate": 0.0}),
    "numbers with momentum": Task(name="any", kind="regression", model={"use": "linear", "momentum": 0.5}),
    "a tree": Task(name="any", kind="binary", model="hoeffding_tree"),
    "several classes": Task(name="any", kind="multiclass", versions=Versions(every=60)),
    "several classes acting": Task(name="any", kind="multiclass", predictions=True, model={"use": "softmax", "l2": 0.01, "learning_rate": 0.3}, **ACTING | {"guard": Guard(alpha=0.9, every=1, margin=0.0, mode="auto")}),
    "declared classes": Task(name="any", kind="multiclass", labels=[1, 2, 3, 4], detectors=[EAGER | {"watch": ["error", "label_rate", "score"]}]),
    "classes with costs": Task(name="any", kind="multiclass", costs=[Cost(label="yes", predicted="no", cost=3.0)]),
}  # fmt: skip

WORDS = ["ES", "PT", "a b", "you have won a prize: call us now, before the end of this week, or never again"]


def feature(dice, name):
    """A value: a plain number as a rule, now and then one that is huge, tiny, whole, a boolean or a string."""
    odd = dice.random()
    if name == "c" and odd < 0.9:
        return dice.choice(WORDS) if odd < 0.85 else f"u{dice.randint(0, 40)}"
    if odd < 0.9:
        return dice.gauss(0, 1)
    return dice.choice(
        [0, 1, -3, True, False, 0.0, -0.0, 1e-300, -1e-300, 5e-324, 1e19, -1e19, 2**63 - 1, 10**17 + 1, 1e15 + 0.3]
    )


def sample(dice, task, turned):
    names = [name for name in "abde" if dice.random() < 0.9] + ["c"] * (dice.random() < 0.3)
    if dice.random() < 0.02:
        names += [dice.choice(["late", "f=g", "z" * 3])]
    if dice.random() < 0.1:
        dice.shuffle(names)
    features = {name: feature(dice, name) for name in names}
    if task.features is not None:
        features = {name: value for name, value in features.items() if name in task.features}
        features |= {"d": dice.random() < 0.5, "e": dice.randint(-9, 9)}
    x = features.get("a", 0)
    high = (x if isinstance(x, (int, float)) else 0) > 0
    if task.kind == "regression":
        label = dice.choice(
            [3.0 * high + dice.gauss(0, 0.1), dice.randint(-3, 3), 1e19 if dice.random() < 0.01 else 0.5]
        )
        return features, -label if turned else label
    return features, (high != turned) != (dice.random() < 0.05)


def log(seed, task, count, from_sources=0.0):
    """Messages of one row or of many: samples in the main, and questions, labels, control records and nonsense between them.

    A share of them comes from sources, and some of these come a second time.
    """
    dice, rows, messages = random.Random(seed), [], []
    turned = False
    for number in range(count):
        turned ^= dice.random() < 0.004
        features, label = sample(dice, task, turned)
        if task.kind == "multiclass":
            label = dice.choice([1, 2, 3, 4, 2]) if task.labels else "yes" if label else "no"
            if dice.random() < 0.1:
                label = 4 if task.labels else f"maybe {dice.randint(0, 5)}"
            elif dice.random() < 0.01:
                label = 7
        rows.append({"features": features, "label": label})
        if task.order == "event_time":
            rows[-1]["time"] = 1_767_225_600 + number / 10
        if dice.random() < from_sources:
            row = dice.choice(["", "", f"/{dice.randint(0, 3)}"])
            rows[-1]["source"] = f"clicks/{dice.randint(0, 3)}/{number - 5 * (dice.random() < 0.02)}{row}"
        odd = dice.random()
        if odd < 0.3:
            rows[-1]["id"] = f"s{number}"
        elif odd < 0.32:
            rows[-1] = {"id": f"q{number}", "features": features}
            rows[-1] |= {"time": 1_767_225_600 + number / 10} if task.order == "event_time" else {}
        elif odd < 0.34:
            rows[-1] = {"id": f"q{number - dice.randint(1, 60)}", "label": label}
        elif odd < 0.345:
            rows[-1]["source"] = f"clicks/0/{number}"
        elif odd < 0.35:
            rows[-1] = dice.choice(
                [
                    {"control": "checkpoint"},
                    {"control": "rollback", "to": "previous"},
                    {"control": "resume"},
                    {"label": 1},
                    [],
                ]
            )
    clock, offset = 1_767_225_600_000, 0
    while rows:
        size = dice.choice([1, 1, 2, 5, 40, 200])
        value = b"\n".join(json.dumps(row).encode() for row in rows[:size])
        messages.append(Message(offset, value + b"\n" * (dice.random() < 0.1), clock))
        del rows[:size]
        offset += dice.choice([1, 1, 1, 1, 3])
        clock += dice.choice([0, 1, 20, 500, 500, -400, 40_000 * (dice.random() < 0.1)])
    return messages


def both(task, messages, dice, counts):
    """Fold a log in both ways, and compare them after each poll; the second in both ways in turn, and it is saved and loaded now and then."""
    general, many = Learner(task, 0), Learner(task, 0)
    while messages:
        size = dice.choice([1, 3, 10, 30])
        poll = messages[:size]
        if dice.random() < 0.3:
            many = Learner(task, 0, decode(encode(many.state)), many._pending, many.supplies)
        kernel.use_kernel(yes=dice.random() < 0.8)
        at_once = [effect for effects in many.fold_many(poll) for effect in effects]
        done = [message for message in poll if message.offset < many.state.position]
        kernel.use_kernel(yes=False)
        one_by_one = [effect for message in done for effects in general.fold(message) for effect in effects]
        assert repr(at_once) == repr(one_by_one)
        assert digest(many.state) == digest(general.state)
        counts.append(many.state.updates)
        messages = messages[len(done) :]
    return general


@pytest.fixture
def stretches(monkeypatch):
    """Counts the rows that the kernel folds."""
    found, plain = [], fold.fold_stretch

    def watch(parts, *arguments):
        before = parts.state.step
        ended = plain(parts, *arguments)
        if ended is not None:
            found.append(parts.state.step - before)
        return ended

    monkeypatch.setattr(fold, "fold_stretch", watch)
    yield found
    kernel.use_kernel(yes=True)


GENERAL = {"costs", "event time", "challenger", "a tree", "classes with costs"}
"""Tasks of which the kernel folds nothing."""


@pytest.mark.parametrize("seed", range(some(30, of=30)))
@pytest.mark.parametrize("name", TASKS)
def test_a_log_of_anything_is_folded_to_the_same_bits(name, seed, stretches):
    dice, counts = random.Random(seed), []
    general = both(TASKS[name], log(f"{name} {seed}", TASKS[name], 1500, 0.9 * (name == "ingested")), dice, counts)
    assert general.state.updates > 700
    assert (general.state.skipped > 0) == (name == "ingested")
    assert not stretches or name not in GENERAL


@pytest.mark.parametrize("name", sorted(TASKS.keys() - GENERAL))
def test_the_kernel_folds_most_of_it(name, stretches):
    learner, messages = Learner(TASKS[name], 0), log(f"{name} 0", TASKS[name], 1500, 0.9 * (name == "ingested"))
    while messages:
        for _ in learner.fold_many(messages[:10]):
            pass
        messages = [message for message in messages if message.offset >= learner.state.position]
    assert sum(stretches) > 400


@pytest.mark.parametrize(
    ("task", "rows"),
    [
        (Task(name="phishing", kind="binary"), datasets.Phishing()),
        (Task(name="bananas", kind="binary"), datasets.Bananas()),
        (Task(name="chick", kind="regression"), datasets.ChickWeights()),
        (Task(name="trump", kind="regression"), datasets.TrumpApproval()),
        (Task(name="flow", kind="regression"), datasets.WaterFlow()),
        (Task(name="images", kind="multiclass"), datasets.ImageSegments()),
        (Task(name="phishing", kind="binary", model="pa", predictions=True), datasets.Phishing()),
        (Task(name="bananas", kind="binary", model="ftrl", segments=["1"]), datasets.Bananas()),
    ],
)
def test_the_data_sets_of_river_are_folded_to_the_same_bits(task, rows, stretches):
    found = []
    for number, (x, y) in enumerate(rows):
        if number == 1500:
            break
        features = {name: value for name, value in x.items() if isinstance(value, (int, float, str, bool))}
        found.append({"features": features, "label": bool(y) if task.kind == "binary" else y})
    values = [b"\n".join(json.dumps(row).encode() for row in found[at : at + 30]) for at in range(0, len(found), 30)]
    messages = [Message(offset, value, offset) for offset, value in enumerate(values)]
    both(task, messages, random.Random(1), [])
    assert sum(stretches) > len(found) / 2


def test_without_numba_the_general_way_is_taken():
    program = "import sys; sys.modules['numba'] = None\nfrom headrace.learning import kernel\nprint(kernel.compiled())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None"


def test_the_loops_of_each_family_are_compiled_before_the_first_record(stretches):
    tasks = [
        Task(name="a", kind="binary"),
        Task(name="b", kind="binary", model="pa"),
        Task(name="c", kind="multiclass"),
        Task(name="d", kind="regression"),
        Task(name="e", kind="binary", model="hoeffding_tree"),
    ]
    for task in tasks:
        stretches.clear()
        warm_up([task])
        assert bool(stretches) == (task.name != "e")
