"""A state that was read, and is none in some place, is passed by like a damaged one: it must not hold up its shard for ever."""

import collections
import json
import random
import re
from types import SimpleNamespace

import msgspec
import pytest
from river import compose, feature_extraction, linear_model, naive_bayes, optim, preprocessing

from headrace.learning.errors import DamagedError
from headrace.learning.fold.learner import Learner
from headrace.learning.models.likeness import check_like
from headrace.learning.plain import plain
from headrace.learning.snapshot import decode, encode, seal, unseal
from headrace.learning.snapshot.plausible import check
from headrace.learning.task import Task, Update, define

TASKS = {
    "binary": Task(name="t", kind="binary", model="logistic", wait="1h", order="event_time", update=Update(batch=4)),
    "multiclass": Task(name="t", kind="multiclass", model="naive_bayes"),
    "regression": Task(name="t", kind="regression", model="linear"),
}


LABELS = {"binary": [True, False], "multiclass": ["a", "b", "c"], "regression": [0.5, 2.0, -1.5]}


def learned(kind="binary", count=30):
    """The state of a learner that has learned, and of one whose records are ordered the last of which are still held."""
    dice, learner = random.Random(kind), Learner(TASKS[kind], 0)
    for offset in range(count):
        features = {"x": dice.gauss(0, 1), "y": dice.choice("ab")}
        record = json.dumps({"features": features, "label": dice.choice(LABELS[kind]), "time": offset}).encode()
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=offset * 1000, key=None, value=record)):
            pass
    assert learner.state.updates >= count - 10
    return learner.state


def test_a_state_that_was_folded_is_one():
    for kind, task in TASKS.items():
        state = learned(kind)
        check(decode(encode(state)), task, ())


def put(path, value):
    """A change of one place in a state."""

    def change(state):
        *way, last = path.split(".")
        at = state
        for name in way:
            at = at[name] if isinstance(at, dict) else getattr(at, name)
        if isinstance(at, dict):
            at[last] = value
        else:
            setattr(at, last, value)

    return change


ODD = {
    "join is a number": (put("join", 5), "State.join is of the type int"),
    "a clock without end": (put("clock", 10**400), "State.clock: Expected `int` <= 9223372036854775807"),
    "a clock that is a text": (put("clock", "x"), "State.clock is of the type str"),
    "a position that is a float": (put("position", 30.0), "State.position is of the type float"),
    "a step below nothing": (put("step", -1), "State.step: Expected `int` >= 0"),
    "a last message that is a number": (put("last", 7), "State.last holds other things"),
    "a last message of other things": (put("last", ("a", 1, "b")), "State.last holds other things"),
    "names that are a number": (put("names", 7), "State.names is of the type int"),
    "a name with a number": (put("names", {"a": 5}), "State.names: Expected `object`, got `int`"),
    "an oldest step that is too large": (
        put("join.oldest", (2**70, 0)),
        "JoinState.oldest: Expected `int` <= 9223372036854775807 - at `$[0]`",
    ),
    "an oldest step that is a text": (
        put("join.oldest", ("a", 0)),
        "JoinState.oldest: Expected `int`, got `str` - at `$[0]`",
    ),
    "a checksum that is too large": (put("join.checksum", 1 << 128), "JoinState.checksum is no checksum"),
    "a checksum that is a float": (put("join.checksum", 1.0), "JoinState.checksum: Expected `int`, got `float`"),
    "no arms": (put("arms", {}), "there is no State where one should be"),
    "an arm of another name": (put("arms", {"other": None}), "there is no State where one should be"),
    "an arm that is a list": (put("arms.champion", []), "Arm.made_of: Expected `str | object`, got `null`"),
    "a role that is none": (put("arms.champion.role", "king"), "Arm.role: Invalid enum value 'king'"),
    "a window of another length": (
        put("arms.champion.scoreboard.window", collections.deque(maxlen=10**9)),
        "Scoreboard.window is no window",
    ),
    "a window of texts": (
        put("arms.champion.scoreboard.window", collections.deque("ab", maxlen=1_000)),
        "Scoreboard.window: Expected `array`, got `str` - at `$[0]`",
    ),
    "a tally that is another": (
        put("arms.champion.scoreboard.tallies", {"confusion": 1}),
        "Scoreboard.tallies has other names",
    ),
    "no tally": (put("arms.champion.scoreboard.tallies.confusion", {}), "there is no Confusion where one should be"),
    "counts of texts": (
        put("arms.champion.scoreboard.tallies.confusion.counts", {True: {True: "a"}}),
        "Confusion.counts: Expected `int`, got `str` - at `$[...][...]`",
    ),
    "a histogram of other cells": (
        put("arms.champion.scoreboard.tallies.probabilities.sums", [0] * 7),
        "Probabilities.sums: Expected `array` of length >= 962",
    ),
    "a histogram with a count below nothing": (
        put("arms.champion.scoreboard.tallies.probabilities.positives", [-1] * 962),
        "Probabilities.positives: Expected `int` >= 0 - at `$[0]`",
    ),
    "a sum that is a text": (
        put("arms.champion.scoreboard.tallies.probabilities.log", "a"),
        "Probabilities.log is of the type str",
    ),
    "another model": (
        put("arms.champion.model", linear_model.LogisticRegression()),
        "Arm.model is of the type LogisticRegression",
    ),
    "no order": (put("order", None), "State.order is of the type NoneType"),
    "held records of texts": (put("order.held", ["a"]), "OrderState.held holds other things"),
    "held records that are plain tuples": (
        put("order.held", [(1, 2, 3, 4, None, b"")]),
        "OrderState.held holds other things",
    ),
    "rows that are numbers": (put("batch.rows", [1]), "BatchState.rows holds other things"),
    "no scores": (put("served", None), "State.served is of the type NoneType"),
    "a source without a place": (put("sources", {"a": 5}), "State.sources: Expected `array`, got `int` - at `$[...]`"),
    "probes of lists": (
        put("probes", collections.deque([{"x": []}], maxlen=32)),
        "State.probes: Expected `bool | int | float | str`, got `array` - at `$[0][...]`",
    ),
    "labels that are a text": (put("labels", "abc"), "State.labels: Expected `object | null`, got `str`"),
    "an attribute more": (put("more", 1), "there is no State where one should be"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_no_state_has_is_refused(odd):
    state, (change, refusal) = learned(), ODD[odd]
    change(state)
    with pytest.raises(ValueError, match=re.escape(plain(refusal))):
        check(decode(encode(state)), TASKS["binary"], ())


POLICIES = {
    "signals that are a number": (put("signals", 5), "State.signals is no window"),
    "a signal that is a text": (
        put("signals", collections.deque("a", maxlen=1_000)),
        "State.signals holds other things",
    ),
    "signals without end": (put("signals", collections.deque(maxlen=10**9)), "State.signals is no window"),
    "no watches": (put("watches", None), "State.watches is of the type NoneType"),
    "a watch that is a number": (put("watches.labels", {"0 adwin": 5}), "RecordWatches.labels has other names"),
    "guards that are a list": (put("guards", []), "State.guards is of the type list"),
    "no guards": (put("guards", {}), "State.guards has other names"),
    "a guard that is none": (put("guards.degraded", None), "there is no Degraded where one should be"),
    "counts below nothing": (put("guards.label_rate.counts", {"a": -1}), "LabelRateGuard.counts: Expected `int` >= 0"),
    "no evidence": (put("guards.degraded.comparison.detector", None), "Comparison.detector is of the type NoneType"),
    "evidence of seven bets less": (
        put("guards.degraded.comparison.detector._evidence", (1.0,)),
        "EDetector._evidence: Expected `array` of length 4, got 1",
    ),
    "acts that are a number": (put("acts", 5), "State.acts: Expected `object`, got `int`"),
    "acts of texts": (put("acts", {"0 boost": ["a"]}), "State.acts: Expected `int`, got `str`"),
    "no background": (put("background", None), "State.background is of the type NoneType"),
    "a background without a comparison": (
        put("background.difference", None),
        "BackgroundTest.difference is of the type NoneType",
    ),
    "kept samples that are numbers": (put("reservoir.rows", [5]), "Reservoir.rows: Expected `array`, got `int`"),
    "labels that are lists": (put("unseen", [[1]]), "State.unseen: Expected `bool | int | float | str`, got `array`"),
    "fewer than no records": (put("asked", -1), "State.asked: Expected `int` >= 0"),
    "no detectors": (put("arms.champion.errors", {}), "Arm.errors has other names"),
    "no rate": (put("arms.champion.rate", None), "Arm.rate is of the type NoneType"),
    "fewer than no updates": (put("arms.champion.rate.left", -1), "Rate.left: Expected `int` >= 0"),
}


@pytest.mark.parametrize("odd", POLICIES)
def test_signals_watches_guards_and_acts_of_other_types_are_refused(odd):
    state, (change, refusal) = learned(), POLICIES[odd]
    change(state)
    with pytest.raises(ValueError, match=re.escape(plain(refusal))):
        check(decode(encode(state)), TASKS["binary"], ())


@pytest.mark.parametrize("watch", ["features", "feature:x", "score", "label_rate"])
def test_a_state_whose_detectors_watch_more_than_the_error_is_one(watch):
    task = Task(name="t", kind="binary", detectors=[{"use": "adwin", "watch": watch}])
    learner = Learner(task, 0)
    for offset in range(3):
        value = b'{"features": {"x": 1.5, "y": "a"}, "label": true}'
        list(learner.fold(SimpleNamespace(offset=offset, timestamp=0, key=None, value=value)))
    check(decode(encode(learner.state)), task, ())
    if watch.startswith("feature"):
        next(iter(learner.state.watches.features.values())).spec["use"] = "evidence"
        with pytest.raises(ValueError, match=r"FeatureWatch\.spec has another 'use'"):
            check(decode(encode(learner.state)), task, ())


def test_a_snapshot_of_it_is_passed_by_like_a_damaged_one():
    task, state = TASKS["binary"], learned()
    state.join = 5
    with pytest.raises(DamagedError, match="does not hold a state: State.join is of the type int"):
        unseal(seal(state, task, 0, writer="w"), task, 0)


def test_a_million_names_are_not_compared_at_one_go(monkeypatch):
    """It would take half a second in which nothing else runs."""
    state, sizes, convert = learned(), [], msgspec.convert
    state.names = {"place": {f"value {number}": None for number in range(5_000)}} | {
        f"x{number}": None for number in range(5_000)
    }
    monkeypatch.setattr(
        msgspec,
        "convert",
        lambda value, *wanted, **how: (
            sizes.append(len(value) if isinstance(value, dict | list) else 1),
            convert(value, *wanted, **how),
        )[1],
    )
    check(state, TASKS["binary"], ())
    assert 1_000 in sizes
    assert max(sizes) == 1_000
    for wrong in (
        {**state.names, "last": {"a": 1}},
        {**state.names, 5: None},
        {**state.names, "last": {**state.names["place"], 5: None}},
    ):
        state.names = wrong
        with pytest.raises(ValueError, match=r"State\.names"):
            check(state, TASKS["binary"], ())


def bag(pattern=r"\w+"):
    words = feature_extraction.BagOfWords(on="text", tokenizer_pattern=pattern)
    return compose.Pipeline(words, naive_bayes.BernoulliNB())


def test_the_texts_among_a_models_parameters_are_those_of_the_task():
    """A pattern could be chosen that takes for ever on the first text."""
    check_like(decode(encode(bag())), bag())
    with pytest.raises(ValueError, match="BagOfWords.tokenizer_pattern is another text"):
        check_like(bag("(a|a)*$"), bag())
    with pytest.raises(ValueError, match="in the place of a BagOfWords"):
        check_like(preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD()), bag())


def test_an_arm_is_compared_with_a_model_of_what_it_says_it_is_made_of():
    state = learned()
    state.arms["champion"].made_of = "alma"
    with pytest.raises(ValueError, match="in the place of"):
        check(decode(encode(state)), TASKS["binary"], ())


@pytest.mark.parametrize("made_of", ["os:system", {"use": "os:system"}, 5, None])
def test_no_model_is_made_by_a_function_that_the_settings_do_not_name(made_of):
    state = learned()
    state.arms["champion"].made_of = made_of
    with pytest.raises(ValueError, match=r"Arm\.made_of"):
        check(decode(encode(state)), TASKS["binary"], ())


def test_no_function_is_called_that_only_the_definition_in_a_state_names(tmp_path):
    state, touched = learned(), tmp_path / "touched"
    evil = msgspec.structs.replace(TASKS["binary"], model={"use": "os:system", "command": f"touch {touched}"})
    state.definition = define(evil)
    with pytest.raises(ValueError, match=r"State\.definition.*worker\.modules|State\.definition.*do not name"):
        check(decode(encode(state)), TASKS["binary"], ())
    assert not touched.exists()
