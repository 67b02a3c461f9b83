"""Whatever is in the log and whatever the task's policies, the fold goes on, and goes on equally from any snapshot."""

import json
from types import SimpleNamespace

import hypothesis.strategies as st
from hypothesis import given, settings

from headrace.learning.fold.learner import Learner
from headrace.learning.models import names_for
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import Task, Unanswered, Update

LARGE = {"arf", "srp", "amf", "mondrian"}
"""Starts of the names of ensembles: their models take a second for what takes the others a moment."""

LABELS = {
    "binary": st.booleans(),
    "multiclass": st.sampled_from(["a", "b", "", 0, 1, -1, 2**63 - 1]),
    "regression": st.floats(-(2.0**64), 2.0**64) | st.integers(-9, 9),
}
DURATIONS = st.sampled_from([0.001, "1s", "3s", "10s", "1h"])
VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-(2.0**64), 2.0**64) | st.text(max_size=3)
FEATURES = st.dictionaries(st.sampled_from("xyz"), st.floats(-3, 3) | VALUES, max_size=3)
SOURCES = st.builds("clicks/{}/{}{}".format, st.integers(0, 1), st.integers(0, 9), st.sampled_from(["", "/0", "/1"]))


@st.composite
def tasks(draw):
    kind = draw(st.sampled_from(list(LABELS)))
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
    )


@st.composite
def rows(draw, kind, clock):
    """A record that may well be right; each part is there or not, of a few ids, and now and then of another kind."""
    label = LABELS[kind] if draw(st.integers(0, 9)) else st.one_of(*LABELS.values())
    times = st.integers(-12_000, 12_000).map(lambda ago: max(0.0, (clock + ago) / 1000)) | st.floats(0, 253_402_300_799)
    served = st.fixed_dictionaries(
        {"arm": st.just("champion"), "prediction": label | st.none(), "position": st.integers(0, 99)}
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
    task, found, offset, clock = draw(tasks()), [], 0, draw(st.sampled_from([0, 10_000, 1_767_225_600_000]))
    for _ in range(draw(st.integers(1, 25))):
        offset += draw(st.sampled_from([1, 1, 1, 3]))
        clock = max(0, clock + draw(st.sampled_from([0, 1, 500, 2000, 2000, 20_000, -3000])))
        line = rows(task.kind, clock) | st.just(b'{"control": "tick"}')
        lines = draw(
            st.lists(line if draw(st.integers(0, 9)) else line | st.binary(max_size=9), min_size=1, max_size=4)
        )
        found.append(SimpleNamespace(offset=offset, timestamp=clock, key=None, value=b"\n".join(lines)))
    return task, found


def fold(learner, messages):
    return [effect for message in messages for effects in learner.fold(message) for effect in effects]


@given(logs(), st.data())
@settings(max_examples=300, deadline=None)
def test_any_log_is_folded_to_its_end_under_any_policies_and_from_any_snapshot(log, data):
    task, messages = log
    middle = data.draw(st.integers(0, len(messages)))
    learner = Learner(task, 0)
    fold(learner, messages[:middle])
    sealed = seal(learner.state, task, 0, writer="test")
    told = fold(learner, messages[middle:])
    assert learner.state.position == messages[-1].offset + 1
    # The entries of the whole fold are there, as after a crash: those of steps that are still to come must not be seen.
    again = Learner(task, 0, unseal(sealed, task, 0), learner.join.pending)
    assert fold(again, messages[middle:]) == told
    assert digest(again.state) == digest(learner.state)
    seal(learner.state, task, 0, writer="test")
