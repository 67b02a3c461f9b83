"""What becomes of features before a model sees them: the steps that a task declares, what stands in for missing values, and crosses."""

import calendar
import math
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import written_log
from river import base
from river import preprocessing as river_preprocessing

from headrace.learning.effects import Quarantined
from headrace.learning.encoding import decode, digest, encode
from headrace.learning.errors import ModelError
from headrace.learning.features import FEATURES, FILLS, steps_of
from headrace.learning.features.cross import BITS
from headrace.learning.features.date import MONTHS, month_of
from headrace.learning.features.hashing import cell_of
from headrace.learning.features.last import ENTITIES_MAX
from headrace.learning.features.one_hot import LIMIT
from headrace.learning.features.strings import COLUMNS_MAX, Strings
from headrace.learning.models import build, names_for
from headrace.learning.models.likeness import check_like
from headrace.learning.models.preparing import AsIs, Scale
from headrace.learning.snapshot import seal, unseal
from headrace.learning.task import ArmSettings, Feature, Guard, Task, Versions, define, made_for, with_model

PARAMETERS = {
    "binned": {"width": 10.0},
    "since": {"by": "user"},
    "last": {"by": "user"},
    "clipped": {"high": 50.0},
    "text": {"bits": 8},
}
KINDS = {
    "log": "number",
    "clipped": "number",
    "binned": "number",
    "date": "number",
    "since": "number",
    "text": "text",
    "list": "list",
}


def making(name):
    return {"use": name, **PARAMETERS[name]} if name in PARAMETERS else name


def declared(name):
    return Feature(type="float" if KINDS.get(name) == "number" else "string", step=making(name), optional=True)


def value(kind, chance):
    if kind == "number":
        return chance.choice([chance.uniform(-1e3, 1e3), 0.0, 1e9, -1e19, chance.expovariate(1e-9)])
    if kind == "text":
        return " ".join(
            chance.choice(["free", "prize", "hello", "mum", "späti", "日本"]) for _ in range(chance.randrange(9))
        )
    if kind == "list":
        return ",".join(chance.choice("abcdefgh") for _ in range(chance.randrange(5)))
    return chance.choice(["PT", "ES", "a=b", "", "long " * 30, *map(str, range(20))])


def rows(name, n, seed=1):
    chance = random.Random(seed)
    for number in range(n):
        x = {"f": value(KINDS.get(name), chance), "user": f"u{chance.randrange(9)}", "x": chance.gauss(0, 1)}
        if name in FILLS and number % 3 == 0:
            del x["f"]
        yield x, chance.random() < 0.4


def model_with(name, model="logistic"):
    step = "missing" if name in FILLS else "step"
    feature = Feature(type="float" if KINDS.get(name) == "number" else "string", optional=True, **{step: making(name)})
    if name == "mean":
        feature = Feature(optional=True, missing="mean")
    features = {"f": feature, "user": Feature(type="string"), "x": Feature()}
    return build(
        Task(name="ads", kind="binary", features=features, model=model, crosses=[["user", "f"]]).model, "binary"
    )


@pytest.mark.parametrize("name", [*FEATURES, *FILLS])
@pytest.mark.parametrize("model", ["logistic", "hoeffding_tree", "naive_bayes"])
def test_reading_changes_nothing_and_what_was_saved_goes_on_as_the_same(name, model):
    one = model_with(name, model)
    for number, (x, y) in enumerate(rows(name, 300)):
        before = digest(one)
        answer = one.predict_proba_one(x)
        assert all(math.isfinite(p) for p in answer.values())
        assert digest(one) == before
        one.learn_one(x, y)
        if number == 150:
            again = decode(encode(one))
            assert encode(again) == encode(one)
        if number > 150:
            again.learn_one(x, y)
    assert digest(again) == digest(one)


WRITE = """
import headrace, sys, test_features
from headrace.learning.encoding import digest
one = test_features.model_with(sys.argv[1])
for x, y in test_features.rows(sys.argv[1], 200):
    one.learn_one(x, y)
print(digest(one))
"""


def test_another_process_makes_the_same_of_the_same_features():
    for name in ("text", "target", "one_hot", "last"):
        one = model_with(name)
        for x, y in rows(name, 200):
            one.learn_one(x, y)
        path = ":".join([str(Path(__file__).parent), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", WRITE, name], env={"PYTHONPATH": path, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == digest(one)


@pytest.mark.parametrize("name", ["one_hot", "hashed", "target", "frequency", "text", "list", "last", "since"])
def test_a_million_distinct_values_take_bounded_memory(name):
    """As many values as make the bound come early: each is met once, and the state stops growing."""
    table = FILLS if name in FILLS else FEATURES
    step = table[name](**PARAMETERS.get(name, {}))
    columns, sizes = set(), []
    for number in range(ENTITIES_MAX * 2 if name in ("last", "since") else 20_000):
        given = float(number) if name == "since" else f"v{number}"
        x = {"f": given, "user": f"u{number}"}
        if name in FILLS:
            step.learn(given, x)
        else:
            columns |= {(key, one) for key, one in step.transform("f", given, x).items() if isinstance(one, str)}
            columns |= set(step.transform("f", given, x)) if step.is_ready else set()
            step.learn(given, x, True)
        if number + 1 in (10_000, 20_000, ENTITIES_MAX, 2 * ENTITIES_MAX):
            sizes.append(len(encode(step)))
    assert sizes[-1] < sizes[-2] * 1.2
    assert len(columns) <= 2**12 + LIMIT


def test_strings_without_a_step_take_bounded_memory_too():
    scale, numbers = Scale(), set()
    for number in range(250_000):
        name = f"f{number // 1_250}"
        numbers |= set(scale.learn_transform_one({name: f"v{number}"}))
    assert sum(map(len, scale.strings.known.values())) == COLUMNS_MAX
    assert scale.strings.room == 0
    assert len(scale.strings.known["f0"]) == LIMIT
    assert len(numbers) <= COLUMNS_MAX + 200 * 1_024


def test_a_text_without_a_step_is_read_as_its_words():
    strings, numbers = Strings(), {}
    text = "Congratulations: you have won a prize, call now to claim your prize!"
    strings.learn("message", text)
    strings.put(numbers, "message", text)
    assert strings.known == {"message": {}}
    assert len(numbers) == 11, "each word once"
    model = build("logistic", "binary")
    for _ in range(50):
        model.learn_one({"message": text}, True)
        model.learn_one({"message": "See you at home for dinner, I will be late again because of the train"}, False)
    assert (
        model.predict_one({"message": "you have won: call to claim your prize now, it is a very large prize"}) is True
    )


def test_the_target_never_contains_the_label_of_its_own_record():
    """Each user comes once, so their mean says nothing; a step that learned before it transformed would tell the label."""
    model = build({"use": "logistic", "feature.user": '{"use":"target","prior":0.01}'}, "binary")
    chance, right = random.Random(3), 0
    for number in range(2_000):
        x, y = {"user": f"u{number}"}, chance.random() < 0.5
        right += model.predict_one(x) == y
        model.learn_one(x, y)
    assert 900 < right < 1_100
    told = build({"use": "logistic", "feature.user": "target"}, "binary")
    right = 0
    for _ in range(4_000):
        user = chance.randrange(50)
        x, y = {"user": f"u{user}"}, chance.random() < (0.9 if user % 2 else 0.1)
        right += told.predict_one(x) == y
        told.learn_one(x, y)
    assert right > 0.8 * 4_000


def test_every_day_of_four_centuries_has_the_month_of_the_calendar():
    day = 0
    for year in range(1970, 2370):
        for month in range(1, 13):
            days = calendar.monthrange(year, month)[1]
            assert month_of(day) == month_of(day + days - 1) == month - 1, (year, month)
            day += days
    assert MONTHS[month_of(-1)] == "dec"


def test_a_cross_tells_what_neither_feature_says_alone():
    task = Task(name="ads", kind="binary", crosses=[["a", "b"]])
    chance = random.Random(4)
    accuracy = {}
    for name, spec in (("crossed", task.model), ("plain", "logistic")):
        model, right = build(spec, "binary"), 0
        for _ in range(3_000):
            a, b = chance.randrange(2), chance.randrange(2)
            x, y = {"a": f"{a}", "b": f"{b}"}, a != b
            right += model.predict_one(x) == y
            model.learn_one(x, y)
        accuracy[name] = right / 3_000
    assert accuracy["crossed"] > 0.95 > 0.7 > accuracy["plain"]
    assert BITS == 14


def test_missing_values_are_filled_in_before_the_step():
    steps = steps_of({"feature.price": "log", "missing.price": "mean"})
    steps.learn({"price": math.e - 1}, True)
    assert steps.transform({"age": 1.0}) == ({"age": 1.0, "price": 1.0}, {})
    steps = steps_of({"missing.price": "indicator"})
    assert steps.transform({"age": 1.0}) == ({"age": 1.0, "price.missing": "1"}, {})


def test_a_value_of_a_type_that_the_step_does_not_take_goes_the_plain_way():
    steps = steps_of({"feature.price": "log", "missing.price": "mean", "feature.tags": "list"})
    steps.learn({"price": "much", "tags": 3.0}, True)
    assert steps.transform({"price": "much", "tags": 3.0}) == ({"price": "much", "tags": 3.0}, {})


@pytest.mark.parametrize(
    ("feature", "fault"),
    [
        ({"step": "lug"}, "feature 'f': there is no feature step 'lug'. Did you mean 'log'"),
        ({"step": {"use": "hashed", "bits": 40}}, "the step 'hashed': bits is 40"),
        ({"step": {"use": "hashed", "bit": 4}}, "has no parameter 'bit'. Did you mean 'bits'"),
        ({"step": {"use": "binned"}}, "the step 'binned'"),
        ({"step": {"use": "clipped", "low": 2.0, "high": 1.0}}, "low is 2, and high is 1"),
        ({"missing": "avg"}, "there is no way to fill in 'avg'"),
        ({"missing": {"use": "last"}}, "the step 'last'"),
    ],
)
def test_a_step_that_cannot_be_is_refused(feature, fault):
    task = Task(name="ads", kind="binary", features={"f": Feature(**feature)})
    with pytest.raises(ModelError) as refused:
        build(task.model, "binary")
    assert fault in str(refused.value)


def test_a_models_own_pipeline_gets_the_features_of_the_steps():
    class Kept(base.Classifier):
        def __init__(self):
            self.seen = []

        def learn_one(self, x, y):
            self.seen.append(x)

        def predict_proba_one(self, x):
            return {}

    sys.modules["kept_models"] = SimpleNamespace(make=Kept)
    try:
        model = build({"use": "kept_models:make", "feature.city": '{"bits":4,"use":"hashed"}'}, "binary")
    finally:
        del sys.modules["kept_models"]
    assert isinstance(model.step.step, AsIs)
    model.learn_one({"city": "Faro", "x": 2.0}, True)
    assert model.model.seen == [
        {"city": model.step.declared.steps["city"].transform("city", "Faro", {})["city"], "x": 2.0}
    ]


FEATURES_NOW = {"x": Feature(), "bias": Feature(), "city": Feature(type="string", optional=True, step="target")}


def log_of(**settings):
    given = {
        "detectors": [],
        "reactions": [],
        "guard": Guard(against=[], label_rate=False),
        "versions": Versions(every=10_000),
    }
    return written_log.Log(Task(name="ads", kind="binary", **(given | settings)))


def test_a_changed_step_is_a_changed_model_and_learns_beside_the_champion():
    plain = {"x": Feature(), "bias": Feature(), "city": Feature(type="string", optional=True)}
    log = log_of(features=plain, arms={"tree": ArmSettings(model="hoeffding_tree")})
    log.samples(50)
    log.control("checkpoint")
    (version,) = log.saved()
    changed = msgspec.json.decode(define(msgspec.structs.replace(log.learner.task, features=FEATURES_NOW)))
    did = log.control("define", task=changed)
    assert "features" in did
    assert "model" in did
    assert log.champion.made_of == "logistic"
    assert log.state.arms["next"].made_of == {"feature.city": "target", "use": "logistic"}
    assert log.state.arms["tree"].made_of == {"feature.city": "target", "use": "hoeffding_tree"}
    log.samples(50)
    log.control("promote", arm="next")
    assert log.champion.made_of == {"feature.city": "target", "use": "logistic"}
    log.samples(5)
    assert log.control("rollback", to=version.id).endswith(f"to {version.id}")
    assert log.champion.made_of == "logistic", "it goes on with the features that it was made with"
    log.samples(5)


def test_what_a_model_is_made_of_is_read_back_as_it_was():
    task = Task(name="ads", kind="binary", features=FEATURES_NOW, model={"use": "pa", "c": 0.1})
    assert task.model == {"c": 0.1, "feature.city": "target", "use": "pa"}
    again = Task(
        name="ads",
        kind="binary",
        model=msgspec.json.decode(define(task))["model"],
        features=FEATURES_NOW,
    )
    assert again.model == task.model
    assert made_for(task, "logistic").model == "logistic"
    assert with_model(task, "logistic").model == {"feature.city": "target", "use": "logistic"}


def test_plain_numbers_are_scaled_as_rivers_scaler_does():
    ours, theirs = Scale(), river_preprocessing.StandardScaler()
    for x, _ in rows("log", 200):
        numbers = {"x": x["x"]}
        theirs.learn_one(numbers)
        assert ours.learn_transform_one(numbers) == theirs.transform_one(numbers)


def test_a_model_read_with_other_steps_or_members_is_no_such_model():
    def of(**spec):
        return build({"use": "logistic", **spec}, "binary")

    wanted = of(**{"feature.city": "hashed", "missing.age": "mean"})
    check_like(decode(encode(wanted)), wanted)
    for other in (
        {"feature.city": "target", "missing.age": "mean"},
        {"feature.city": "hashed", "missing.age": "indicator"},
        {},
    ):
        with pytest.raises(ValueError, match="in the place of|other parts"):
            check_like(of(**other), wanted)
    with pytest.raises(ValueError, match="another text"):
        check_like(
            of(**{"missing.age": '{"by":"user","use":"last"}'}), of(**{"missing.age": '{"by":"shop","use":"last"}'})
        )
    committee, other = build("committee", "binary"), build("committee", "binary")
    check_like(other, committee)
    other.model.models.pop()
    with pytest.raises(ValueError, match="ExpertsClassifier.models has other parts"):
        check_like(other, committee)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)],
)
def test_the_state_of_every_model_is_read_back_after_it_has_learned(kind, name):
    log = written_log.Log(Task(name="ads", kind=kind, model=name))
    for number in range(30):
        label = {"multiclass": "abc"[number % 3], "regression": number / 3}.get(kind, number % 3 == 0)
        log.fold({"features": {"x": float(number % 7), "city": f"c{number % 5}"}, "label": label})
    task = log.learner.task
    assert digest(unseal(seal(log.state, task, 0, writer="test"), task, 0)) == digest(log.state)
    log.control("checkpoint")
    log.fold({"features": {"x": 1.0}, "label": {"multiclass": "a", "regression": 1.0}.get(kind, True)})
    assert log.control("rollback", to=log.saved()[0].id).endswith(f"to {log.saved()[0].id}")


@pytest.mark.parametrize("kind", ["multiclass", "anomaly"])
def test_a_step_that_does_not_fit_the_kind_is_refused_wherever_it_stands(kind):
    features = {"c": Feature(type="string", step="target")}
    with pytest.raises((ModelError, ValueError), match=r"not for (multiclass|anomaly) tasks|target"):
        build(Task(name="ads", kind=kind, features=features).model, kind)
    with pytest.raises(ModelError, match=f"its step is not for {kind} tasks"):
        build({"use": "naive_bayes" if kind == "multiclass" else "quantile", "feature.c": "target"}, kind)


@pytest.mark.parametrize("share", ["abc", -1.0, 0.0, 7, True])
def test_a_share_of_negatives_that_cannot_be_is_refused(share):
    with pytest.raises(ModelError, match="negatives is"):
        build({"use": "logistic", "negatives": share}, "binary")
    with pytest.raises(ModelError, match="negatives is not for regression tasks"):
        build({"use": "linear", "negatives": 0.1}, "regression")
    log = log_of()
    wanted = msgspec.json.decode(define(log.learner.task)) | {
        "arms": {"s": {"model": {"use": "pa", "negatives": share}}}
    }
    assert "refused" in log.control("define", task=wanted)
    (refused,) = log.of(Quarantined)
    assert "negatives is" in refused.reason


def test_the_last_step_can_be_taken_back():
    log = log_of(features={"x": Feature(step="log"), "bias": Feature()}, negatives=0.5, crosses=[["x", "bias"]])
    log.samples(20)
    wanted = msgspec.json.decode(define(log.learner.task))
    assert wanted["model"] == "logistic", "the features say it"
    wanted["features"]["x"]["step"] = None
    assert log.control("define", task=wanted | {"crosses": [], "negatives": None}).startswith("changed")
    assert log.state.task.model == log.state.arms["next"].made_of == "logistic"


@pytest.mark.parametrize(
    ("features", "crosses", "fault"),
    [
        ({"a": {}, "b": {}, "a*b": {}}, [["a", "b"]], "there is one already"),
        ({"a": {}, "b": {}, "c": {}, "a*b": {}, "b*c": {}}, [["a*b", "c"], ["a", "b*c"]], "there is one already"),
        ({"at": {"step": "date"}, "at.hour": {}}, [], "makes the feature 'at.hour'"),
        ({"x": {"missing": "indicator"}, "x.missing": {}}, [], "makes the feature 'x.missing'"),
        ({"a": {}}, [["a", "a"]], "names 'a' twice"),
        ({"a": {}}, [["a", "zz"]], "'zz', which is not declared"),
        ({"at": {"step": {"use": "since", "by": "zz"}}}, [], "goes by 'zz'"),
    ],
)
def test_features_that_would_have_one_name_are_refused(features, crosses, fault):
    with pytest.raises(ValueError, match=re.escape(fault)):
        Task(
            name="ads",
            kind="binary",
            features={name: Feature(**one) for name, one in features.items()},
            crosses=crosses,
        )


def test_the_committee_keeps_a_feature_that_looks_like_a_mean_label():
    step = build("committee", "binary").step
    for _ in range(5):
        step.learn_transform_one({"c": "PT", "=^c": 5.0}, True)
    names = list(step.transform_one({"c": "PT", "=^c": 500.0}))
    assert len(names) == len(set(names)) == 3


def test_a_string_that_is_no_text_has_a_cell_too():
    assert 0 <= cell_of("\ud800", 12) < 4_096


def test_a_record_that_was_held_under_another_definition_is_refused_by_the_one_in_force():
    log = log_of(order="event_time", lateness="10s")
    log.fold({"features": {"x": "text"}, "label": True, "time": 100}, clock=100_000)
    wanted = msgspec.json.decode(define(log.learner.task)) | {"features": {"x": {"type": "float"}}}
    log.fold({"control": "define", "task": wanted}, clock=100_000)
    log.fold({"features": {"x": 1.0}, "label": True, "time": 150}, clock=150_000)
    (refused,) = log.of(Quarantined)
    assert "feature 'x' is 'text', not a number" in refused.reason
    assert refused.offset == 1
