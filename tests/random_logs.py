"""Random tasks, records, control records and logs, for property tests."""

import hashlib
import json
from types import SimpleNamespace

import hypothesis.strategies as st

from headrace.learning.models import build, names_for
from headrace.learning.promises import Promises
from headrace.learning.reactions import REACTIONS
from headrace.learning.records.message import Message
from headrace.learning.snapshot import encode
from headrace.learning.supplies import Supplies
from headrace.learning.task import (
    ArmSettings,
    Guard,
    LabelRate,
    Rehearsal,
    Task,
    Threshold,
    Unanswered,
    Update,
    Versions,
    define,
)

LARGE = {"arf", "srp", "amf", "mondrian"}
"""Starts of the names of ensembles: their models take a second for what takes the others a moment."""

LABELS = {
    "binary": st.booleans(),
    "multiclass": st.sampled_from(["a", "b", "", 0, 1, -1, 2**63 - 1]),
    "regression": st.floats(-(2.0**64), 2.0**64) | st.integers(-9, 9),
    "anomaly": st.booleans(),
}
UNLABELLED = [
    {"use": "half_space_trees", "window_size": 10, "trees": 2},
    {"use": "quantile", "after": 2},
    {"use": "seasonal", "after": 2, "time": "x"},
    "one_class_svm",
]
"""Models of anomalies that score after a few records, for the logs are short."""

THRESHOLDS = {
    "binary": [None, 0.3, Threshold(precision=0.9), Threshold(false_positive=1, false_negative=3)],
    "anomaly": [None, 0.6, Threshold(precision=0.9), Threshold(quantile=0.5), Threshold(quantile=0.8)],
}
DURATIONS = st.sampled_from([0.001, "1s", "3s", "10s", "1h"])
VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-(2.0**64), 2.0**64) | st.text(max_size=3)
FEATURES = st.dictionaries(st.sampled_from("xyz"), st.floats(-3, 3) | VALUES, max_size=3)
SOURCES = st.builds("clicks/{}/{}{}".format, st.integers(0, 1), st.integers(0, 9), st.sampled_from(["", "/0", "/1"]))


JOBS = ["j1", "j2", "j3"]
"""The jobs of which a log may have promises; the third one is given up."""


MODES = st.sampled_from(["shadow", "recommend", "auto"])
WATCHED = {
    "adwin": ["error", "score", "label_rate", "features", "feature:x"],
    "evidence": ["error", "score", "label_rate"],
}
ON = st.lists(
    st.sampled_from(["error", "score", "label_rate", "features", "better", "warning"]), min_size=1, unique=True
)


@st.composite
def watched(draw, kind):
    """Detectors, reactions and guards, as parts of a task; eager ones, for the logs are short."""
    watches = {
        use: st.lists(
            st.sampled_from(what[:1] if use == "evidence" and kind == "regression" else what), min_size=1, unique=True
        )
        for use, what in WATCHED.items()
    }
    detector = st.one_of(
        st.fixed_dictionaries({"use": st.just(use), "watch": what, "arms": st.sampled_from(["champion", "all"])})
        for use, what in watches.items()
    )
    reaction = st.fixed_dictionaries(
        {"do": st.sampled_from(sorted(REACTIONS)), "on": ON, "mode": MODES, "cooldown": st.integers(0, 5)}
    )
    losses = ["absolute"] if kind == "regression" else ["zero_one", "brier", "log"]
    guard = st.builds(
        Guard,
        against=st.sampled_from([[], ["last_good"], ["last_good", "baselines"]]),
        loss=st.sampled_from([None, *losses]),
        alpha=st.just(0.99),
        margin=st.just(0.0),
        every=st.integers(1, 3),
        mode=MODES,
        label_rate=st.just(False) | st.builds(LabelRate, short=st.just(20)),
        outlier=st.booleans(),
    )
    return {
        "detectors": draw(st.lists(detector, max_size=3)),
        "reactions": draw(st.lists(reaction, max_size=4)),
        "guard": draw(guard),
        "rehearsal": draw(st.none() | st.builds(Rehearsal, size=st.integers(1, 4), ratio=st.floats(0.1, 2))),
    }


@st.composite
def unlabelled(draw, *, is_watched=False):
    """A task of anomalies, which has neither guards nor anything else that needs labels."""
    watches = st.lists(
        st.sampled_from(["score", "label_rate", "features", "feature:x"]), min_size=1, max_size=2, unique=True
    )
    detector = st.fixed_dictionaries(
        {"use": st.just("adwin"), "watch": watches, "arms": st.sampled_from(["champion", "all"])}
    )
    reaction = st.fixed_dictionaries(
        {
            "do": st.sampled_from(sorted(set(REACTIONS) - {"background"})),
            "on": ON,
            "mode": MODES,
            "cooldown": st.integers(0, 5),
        }
    )
    policies = {}
    if is_watched:
        policies["detectors"] = draw(st.lists(detector, min_size=1, max_size=3))
        policies["reactions"] = draw(st.lists(reaction, min_size=1, max_size=4))
    return Task(
        name="any",
        kind="anomaly",
        model=draw(st.sampled_from(UNLABELLED)),
        predictions=draw(st.booleans()),
        wait=draw(DURATIONS),
        order=draw(st.sampled_from(["arrival", "event_time"])),
        lateness=draw(DURATIONS | st.just(0)),
        late=draw(st.sampled_from(["learn", "quarantine"])),
        versions=Versions(every=draw(st.integers(1, 9)), keep=draw(st.integers(2, 4))),
        threshold=draw(st.sampled_from(THRESHOLDS["anomaly"])),
        arms=draw(st.just({}) | st.just({"other": ArmSettings(model=UNLABELLED[1])})),
        **policies,
    )


@st.composite
def tasks(draw, kind=None, *, is_watched=False):
    kind = kind or draw(st.sampled_from(list(LABELS)))
    if kind == "anomaly":
        return draw(unlabelled(is_watched=is_watched))
    models = [name for name in names_for(kind) if name.partition("_")[0] not in LARGE]
    model = draw(st.sampled_from(models))
    means = ["each", "mean"] if model == "online_linear" else ["each"]
    size, every = draw(st.sampled_from([(1, None), (3, None), (None, "2s"), (4, "5s")]))
    learns = Update(batch=size, every=every, gradient=draw(st.sampled_from(means)))
    trains = [] if kind == "regression" else [st.builds(Unanswered, self_train=st.floats(0.01, 1))]
    assumes = LABELS[kind].filter(lambda label: type(label) is not int or kind != "regression")
    return Task(
        name="any",
        kind=kind,
        model=model,
        predictions=draw(st.booleans()),
        wait=draw(DURATIONS),
        unanswered=draw(st.one_of(st.just("drop"), st.builds(Unanswered, assume=assumes), *trains)),
        order=draw(st.sampled_from(["arrival", "event_time"])),
        lateness=draw(DURATIONS | st.just(0)),
        late=draw(st.sampled_from(["learn", "quarantine"])),
        update=draw(st.none() | st.just(learns)),
        versions=Versions(every=draw(st.integers(1, 9)), keep=draw(st.integers(2, 4))),
        threshold=draw(st.sampled_from(THRESHOLDS.get(kind, [None]))),
        **(draw(watched(kind)) if is_watched else {}),
    )


@st.composite
def controls(draw, kind, is_defined):
    """A control record, most often one that can be carried out; a log that has no first definition gets none."""
    to = st.sampled_from(["previous", "best", "last_good", "nope"]) | st.builds(
        "v{}-0-{}".format, *[st.integers(0, 9)] * 2
    )
    changed = tasks(kind if draw(st.integers(0, 9)) else None, is_watched=draw(st.booleans()))
    definition = json.loads(define(draw(changed)))
    command, parts = draw(
        st.sampled_from(
            [
                ("define", {"task": definition, "cold": draw(st.booleans()), "retrain": draw(st.booleans())}),
                ("define", {"task": definition, "first": is_defined}),
                ("checkpoint", {"pin": draw(st.booleans())}),
                ("rollback", {"to": draw(to)}),
                ("pin", {"version": draw(to), "pinned": draw(st.booleans())}),
                ("promote", {}),
                ("pause", {}),
                ("resume", {}),
                ("job", {"job": draw(st.sampled_from(JOBS)), "recipe": {}}),
                ("cancel", {"job": draw(st.sampled_from(JOBS))}),
                (
                    "install",
                    {"artefact": draw(st.sampled_from([untaught(kind)[0], "0" * 64])), "model": default_of(kind)},
                ),
                ("install", {"id": draw(st.sampled_from(JOBS)), "recipe": {}}),
                ("rollback", {"too": 1}),
            ]
        )
    )
    name = draw(st.sampled_from(["c1", "c2", "c3"]) | st.none())
    return json.dumps({"control": command, **({"id": name} if name else {}), **parts}).encode()


@st.composite
def rows(draw, kind, clock):
    """A record that may well be right; each part is there or not, of a few ids, and now and then of another kind."""
    label = LABELS[kind] if draw(st.integers(0, 9)) else st.one_of(*LABELS.values())
    times = st.integers(-12_000, 12_000).map(lambda ago: max(0.0, (clock + ago) / 1000)) | st.floats(0, 253_402_300_799)
    served = st.fixed_dictionaries(
        {"arm": st.just("champion"), "prediction": label | st.none() | st.just(0.5), "position": st.integers(0, 99)}
    )
    parts = {
        "id": st.sampled_from("abcdef"),
        "features": FEATURES,
        "label": label,
        "time": times,
        "source": SOURCES,
        "served": served,
    }
    odds = {"id": 9, "features": 6, "label": 5, "time": 7, "source": 1, "served": 2}
    return json.dumps({name: draw(parts[name]) for name in parts if draw(st.integers(0, 9)) < odds[name]}).encode()


@st.composite
def logs(draw):
    task, found, offset, clock = (
        draw(tasks(is_watched=draw(st.booleans()))),
        [],
        0,
        draw(st.sampled_from([0, 10_000, 1_767_225_600_000])),
    )
    if is_defined := draw(st.integers(0, 3)) > 0:
        first = {"control": "define", "task": json.loads(define(task)), "first": True}
        found.append(SimpleNamespace(offset=0, timestamp=clock, key=None, value=json.dumps(first).encode()))
    for _ in range(draw(st.integers(1, 25))):
        offset += draw(st.sampled_from([1, 1, 1, 3]))
        clock = max(0, clock + draw(st.sampled_from([0, 1, 500, 2000, 2000, 20_000, -3000])))
        line = rows(task.kind, clock) | st.just(b'{"control": "tick"}')
        line = line if draw(st.integers(0, 2)) else line | controls(task.kind, is_defined)
        lines = draw(
            st.lists(line if draw(st.integers(0, 9)) else line | st.binary(max_size=9), min_size=1, max_size=4)
        )
        found.append(SimpleNamespace(offset=offset, timestamp=clock, key=None, value=b"\n".join(lines)))
    return task, found


def default_of(kind):
    return Task(name="any", kind=kind).model


def untaught(kind):
    """The digest and the encoding of a new model."""
    data = encode(build(default_of(kind), kind))
    return hashlib.sha256(data).hexdigest(), data


def fold(learner, messages):
    return [effect for message in messages for effects in learner.fold(message) for effect in effects]


def supplies(artefacts, kind):
    """What a job has made of nothing, for two promises, and a third that was given up."""
    default, (digest, data) = default_of(kind), untaught(kind)
    artefacts.made |= {(name, digest): data for name in [*JOBS, "c1", "c2"]}
    promises = Promises(Task(name="any", kind=kind))
    for job, artefact in zip(JOBS, [digest, digest, None], strict=True):
        outcome = {"control": "outcome", "of": job, "artefact": artefact, "updates": 3, "why": default}
        promises.note(Message(10**9, json.dumps(outcome).encode()))
    return Supplies(artefacts, promises, ())
