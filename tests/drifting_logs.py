"""Tasks whose detectors, reactions and guards act by themselves, and logs of a world that changes under them, for property tests."""

import json
import random
from collections import Counter
from types import SimpleNamespace

from headrace.learning.drift import DETECTORS, make_detector
from headrace.learning.effects import Drift, Reacted
from headrace.learning.errors import DetectorError
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Guard, LabelRate, Rehearsal, Task, Update, Versions, define


def default_detectors() -> list[dict]:
    """Each detector that needs no parameters and can watch a classifier, on the error of every arm; but for `kswin`, which takes too long."""
    found = []
    for name in sorted(set(DETECTORS) - {"kswin"}):
        try:
            if "shares" in make_detector(name).takes:
                found.append({"use": name, "arms": "all"})
        except DetectorError:
            continue
    return found


EAGER = {"use": "adwin", "delta": 0.4}
WATCHES = [EAGER, EAGER | {"watch": ["score", "label_rate", "features"]}]
EVERYTHING = ["error", "score", "label_rate", "features", "better", "warning"]


def auto(do: str, on: str | list[str], cooldown: int = 60, **parameters) -> dict:
    """A reaction that acts by itself, and often."""
    return {"do": do, "on": on, "mode": "auto", "budget": 50, "cooldown": cooldown} | parameters


GUARD = Guard(alpha=0.9, every=1, margin=0.0, mode="auto", label_rate=LabelRate(short=20, bound=0.45))
"""Guards that need some thirty labels of a trouble to act."""

OFTEN = Versions(every=25, keep=2)

DRIFTING = {
    "boosted": Task(
        name="steps", kind="binary", predictions=True, wait="200s", model="logistic", versions=OFTEN, guard=GUARD,
        detectors=[*WATCHES, *default_detectors()],
        reactions=[
            {"do": "alert", "on": EVERYTHING},
            {"do": "hold", "on": "error", "young": 40, "rise": 0.05},
            auto("boost", ["error", "label_rate"], factor=4, over=20),
            auto("background", ["error", "label_rate"], give_up=80),
            auto("calm", "better", factor=0.5, over=10),
            auto("pause", "feature:x"),
            {"do": "reset", "on": "score", "mode": "recommend", "budget": 50, "cooldown": 10},
            {"do": "boost", "on": "features", "mode": "shadow"},
        ],
    ),
    "replaced": Task(
        name="steps", kind="binary", predictions=True, wait="200s", model="naive_bayes", versions=OFTEN, guard=GUARD,
        detectors=[*WATCHES, *default_detectors()], rehearsal=Rehearsal(size=5, ratio=0.3),
        reactions=[
            auto("background", "error", cooldown=100, give_up=200),
            auto("reset", "score", cooldown=150),
            auto("retrain", "label_rate", messages=50),
            {"do": "rollback", "on": "feature:x", "mode": "recommend", "budget": 50, "cooldown": 10},
        ],
    ),
    "batched": Task(
        name="steps", kind="binary", predictions=True, wait="200s", order="event_time", lateness="4s", guard=GUARD,
        model="online_linear", versions=OFTEN, update=Update(batch=4, gradient="mean"), detectors=WATCHES,
        reactions=[auto("boost", "error", over=30), auto("background", ["error", "label_rate"], give_up=80), auto("retrain", "label_rate")],
    ),
}  # fmt: skip

PHASES = ("steady", "steady", "flipped", "flipped", "steady", "poisoned", "steady", "rare", "shifted")
"""What the world does, one phase after the other: the label is turned round; it is turned round with a feature far out; it is nearly always
true; a feature is elsewhere."""

PHASE_ROWS = 64


def sample(phase: str, dice: random.Random) -> tuple[dict, bool]:
    """The features and the label of a phase."""
    x = dice.gauss(0, 1)
    label = (x > 0) != (dice.random() < 0.05)
    if phase in ("flipped", "poisoned"):
        label = not label
    elif phase == "rare":
        label = label or dice.random() < 0.95
    elif phase == "shifted":
        x += 4.0
    return {"x": x * (5.0 if phase == "poisoned" else 1.0), "y": dice.choice("ab")}, label


def drifting(seed: int, task: Task) -> list[SimpleNamespace]:
    """A log with samples, questions and late labels through all phases; then the ends of the jobs that reactions have asked for, and what an
    operator carries out of what was recommended. Some messages have several rows, and some offsets hold nothing.
    """
    dice, offset, rows = random.Random(seed), 1, []
    later: list[tuple[int, dict]] = []
    for number in range(PHASE_ROWS * len(PHASES)):
        features, label = sample(PHASES[number // PHASE_ROWS], dice)
        late = {"time": 1000 + len(rows) * 0.5 - dice.choice([0, 0, 1, 3])}
        if dice.random() < 0.7:
            rows.append({"features": features, "label": label} | late)
        else:
            rows.append({"id": f"q{number}", "features": features} | late)
            later.append((number + dice.randint(1, 40), {"id": f"q{number}", "label": label}))
        rows += [answer for due, answer in later if due == number]
    first = {"control": "define", "task": json.loads(define(task)), "first": True}
    found = [_message(0, [first])]
    while rows:
        count = dice.choice([1, 1, 2, 4, 6])
        found.append(_message(offset, rows[:count]))
        del rows[:count]
        offset += dice.choice([1, 1, 1, 1, 2])
        if dice.random() < 0.03:
            found.append(_message(offset, [{"control": "resume"}]))
            offset += 1
    learner = Learner(task, 0)
    for message in found:
        for _ in learner.fold(message):
            pass
    advised = [{"control": "react", "signal": one.id} for one in learner.state.signals if one.advised]
    ends = [[{"control": "cancel", "job": job}] for job in list(learner.state.jobs)[::2]]
    ends += [[row] for job in list(learner.state.jobs)[1::2] for row in installed(job)]
    for lines in [advised[:3], *ends, [{"features": {"x": 0.5}, "label": True}, {"control": "resume"}]]:
        if lines:
            found.append(_message(offset, lines))
            offset += 1
    return found


def installed(job: str) -> list[dict]:
    """The promise of a job, and that it has ended without a model."""
    promise = {"control": "install", "id": job, "recipe": {}, "model": "alma"}
    return [promise, {"control": "outcome", "of": job, "artefact": None, "why": "no reason"}]


def _message(offset: int, rows: list[dict]) -> SimpleNamespace:
    value = "\n".join(map(json.dumps, rows)).encode()
    return SimpleNamespace(offset=offset, timestamp=10**6 + offset * 1000, key=None, value=value)


def happened(effects) -> Counter[str]:
    """How often each reaction acted, was recommended or was reported, and each kind of signal came."""
    found: Counter[str] = Counter()
    for one in effects:
        if isinstance(one, Reacted):
            did = "swapped" if "took the place" in one.did else "dropped" if "was dropped" in one.did else one.reaction
            found[did if one.acted else f"{one.mode} {did}"] += 1
        elif isinstance(one, Drift):
            found[f"{one.kind} {one.detector if one.kind == 'guard' else one.watched.partition(':')[0]}"] += 1
    return found
