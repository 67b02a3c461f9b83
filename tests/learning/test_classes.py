"""Weights of classes, and what it costs to take one for another."""

import json
import math
import os
import random
import subprocess
import sys
from collections import Counter

import msgspec
import pytest
import written_log

from headrace.app.settings import load
from headrace.learning.arms.lowest_cost import LowestCost
from headrace.learning.arms.weighting import Weighting
from headrace.learning.effects import Quarantined
from headrace.learning.errors import ModelError
from headrace.learning.metrics import Scoreboard
from headrace.learning.metrics.overall import Overall
from headrace.learning.models import build
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import ArmSettings, Cost, Guard, Rehearsal, Task, Update, cost_of, cost_table, define

COSTS = [Cost(label="fraud", predicted="ok", cost=30.0), Cost(label="spam", predicted="ok", cost=4.0)]
SHARES = {"ok": 0.9, "spam": 0.07, "fraud": 0.03}
CENTRES = {"ok": (0.0, 0.0), "spam": (1.5, 0.0), "fraud": (0.0, 1.5)}
MODELS = ["naive_bayes", "hoeffding_tree", "arf"]


def task(**settings):
    given = {"kind": "multiclass", "detectors": [], "reactions": [], "guard": Guard(against=[], label_rate=False)}
    return Task(name="mail", **(given | settings))


def rows(count, seed=1, kind="multiclass"):
    """Rows of three classes that overlap, two of them rare; for two classes, whether it is the rarest."""
    chance = random.Random(seed)
    for _ in range(count):
        label = chance.choices(list(SHARES), SHARES.values())[0]
        x, y = CENTRES[label]
        features = {"x": x + chance.gauss(0, 1), "y": y + chance.gauss(0, 1)}
        yield features, label if kind == "multiclass" else label == "fraud"


def folded(count, modules=(), **settings):
    log = written_log.Log(task(**settings), modules=modules)
    for features, label in rows(count, kind=log.learner.task.kind):
        log.fold({"features": features, "label": label})
    return log


@pytest.mark.parametrize("model", MODELS)
def test_a_prediction_costs_less_if_the_task_says_what_errors_cost(model):
    plain, priced = folded(2_000, model=model), folded(2_000, model=model, costs=COSTS)
    table, confusion = cost_table(COSTS), plain.champion.scoreboard.tallies["confusion"].counts
    without = math.fsum(
        count * cost_of(table, value, label) for label, row in confusion.items() for value, count in row.items()
    )
    figures = priced.champion.scoreboard.figures()
    assert figures["total_cost"] < 0.75 * without
    assert figures["mean_cost"] == figures["total_cost"] / priced.champion.scoreboard.scored
    assert priced.champion.digest == plain.champion.digest, "costs decide what is predicted, not what is learned"


def test_the_label_with_the_lowest_expected_cost_is_predicted():
    chance, labels = random.Random(2), "abcd"
    for _ in range(200):
        pairs = chance.sample([(one, other) for one in labels for other in labels], 6)
        costs = [
            Cost(label=label, predicted=value, cost=chance.choice([0.0, 0.5, 3.0, 40.0])) for label, value in pairs
        ]
        shares = {label: chance.random() for label in labels}
        table = cost_table(costs)

        def expected(value):
            return sum(p * cost_of(table, value, label) for label, p in shares.items())  # noqa: B023

        assert expected(LowestCost(costs).decide(shares)) == pytest.approx(min(map(expected, labels)))


def test_without_named_pairs_the_most_probable_label_is_predicted():
    decide = LowestCost([Cost(label="z", predicted="y", cost=9.0)]).decide
    assert decide({"a": 0.2, "b": 0.5, "c": 0.3}) == "b"
    assert decide({"a": 0.4, "b": 0.4, "c": 0.2}) == "a"


def test_costs_change_the_label_that_is_served_and_not_the_probabilities():
    log, plain = folded(500, model="naive_bayes", costs=COSTS), folded(500, model="naive_bayes")
    features = {"x": 0.4, "y": 1.0}
    ours, theirs = log.champion.predict(features), plain.champion.predict(features)
    assert ours.probabilities == theirs.probabilities
    assert (ours.value, theirs.value) == ("fraud", "ok")


def test_arms_and_baselines_are_scored_by_cost_too():
    log = folded(300, costs=COSTS, arms={"bayes": ArmSettings(model="naive_bayes")})
    figures = {name: arm.scoreboard.figures() for name, arm in log.state.arms.items()}
    assert set(figures) == {"champion", "bayes", "no_change", "majority"}
    assert all(one["mean_cost"] > 0 for one in figures.values())
    assert figures["champion"]["mean_cost"] < figures["majority"]["mean_cost"]
    window = log.champion.scoreboard.values()["window"]
    assert window["total_cost"] == figures["champion"]["total_cost"], "of fewer than a thousand records"


def test_costs_over_several_shards_add_up_while_all_count_by_the_same():
    def board(costs, label="fraud"):
        one = Scoreboard("multiclass", costs=costs)
        one.update(label, Prediction("ok", {"ok": 1.0}))
        return one

    both, mixed, late = Overall("multiclass"), Overall("multiclass"), Overall("multiclass")
    for one in (board(COSTS), board(COSTS, "spam")):
        both.add(one)
    assert (both.values()["total_cost"], both.values()["window"]["mean_cost"]) == (34.0, 17.0)
    for overall, boards in ((mixed, (board(COSTS), board(COSTS[:1]))), (late, (board(()), board(COSTS)))):
        for one in boards:
            overall.add(one)
        assert "total_cost" not in overall.values()
        assert overall.scored == 2


def test_costs_can_be_changed_and_taken_back_and_price_all_of_the_log():
    log, wanted = folded(400), folded(400, costs=COSTS)
    before = digest(log.state)
    definition = json.loads(define(log.learner.task))
    assert log.control("define", task=definition | {"costs": msgspec.to_builtins(COSTS)}) == "changed costs"
    counts = log.champion.scoreboard.tallies["confusion"].counts
    table = cost_table(COSTS)
    total = math.fsum(n * cost_of(table, value, label) for label, row in counts.items() for value, n in row.items())
    assert log.champion.scoreboard.figures()["total_cost"] == total
    assert log.champion.digest == wanted.champion.digest
    log.control("define", task=definition)
    assert "total_cost" not in log.champion.scoreboard.figures()
    assert log.champion.cutoff is None
    assert digest(log.state) != before, "positions and controls are part of it"


@pytest.mark.parametrize("model", [*MODELS, "softmax"])
def test_balanced_weights_find_more_of_what_is_rare(model):
    plain, balanced = folded(2_000, model=model), folded(2_000, model=model, weights="balanced")
    ours, theirs = (log.champion.scoreboard.figures() for log in (balanced, plain))
    assert ours["balanced_accuracy"] > theirs["balanced_accuracy"] + 0.05
    assert ours["log_loss"] < theirs["log_loss"] + 0.15, "probabilities are those of the records as they come"


def test_balanced_weights_learn_no_more_records_than_there_are_and_all_classes_alike():
    weighting, labels = Weighting("balanced"), [label for _, label in rows(20_000)]
    times = Counter()
    for label in labels:
        times[label] += weighting.times(label)
    assert sum(times.values()) == pytest.approx(20_000, rel=0.05)
    assert max(times.values()) < 1.1 * min(times.values())
    assert weighting.learned == dict(times)


def test_weights_of_a_label_that_comes_late_are_bounded():
    weighting = Weighting("balanced")
    for _ in range(100_000):
        weighting.times("ok")
    assert weighting.times("fraud") == 100


@pytest.mark.parametrize("weight", [0.001, 0.1, 1 / 3, 0.7, 1.0, 2.5, 99.9])
def test_a_record_is_learned_as_often_as_its_class_weighs(weight):
    weighting = Weighting({"7": weight})
    learned = 0
    for count in range(1, 2_000):
        learned += weighting.times(7)
        assert learned >= 1
        assert abs(learned - count * weight) <= 1.0 + 1e-6 * count
    assert weighting.times(8) == 1


def test_probabilities_are_corrected_for_weights_in_two_classes():
    figures = {}
    for weights in (None, {"true": 20.0}, {"false": 0.05}):
        log = folded(6_000, kind="binary", weights=weights, model={"use": "logistic", "learning_rate": 0.02})
        board = log.champion.scoreboard
        window = list(board.window)
        mean, true = (sum(p for *_, p in window) / len(window), sum(label for label, *_ in window) / len(window))
        assert 0.5 < mean / true < 2.5
        figures[str(weights)] = board.figures()
        assert log.champion.updates == 6_000
    plain = figures.pop("None")
    for one in figures.values():
        assert one["recall"] > plain["recall"] + 0.2
        assert one["roc_auc"] > plain["roc_auc"] - 0.05


def test_a_threshold_decides_by_the_corrected_probabilities():
    log = folded(1_000, kind="binary", weights="balanced", threshold=0.3)
    for features, _ in rows(200, seed=5):
        prediction = log.champion.predict(features)
        assert prediction.value == (prediction.probabilities[True] >= 0.3)


@pytest.mark.parametrize(
    "settings", [{"weights": "balanced"}, {"weights": {"fraud": 3.5, "ok": 0.4}}, {"costs": COSTS}]
)
def test_a_snapshot_of_it_is_read_and_goes_on_as_the_state_would(settings):
    log = folded(300, rehearsal=Rehearsal(), **settings)
    sealed = seal(log.state, log.learner.task, 0, writer="test")
    read = unseal(sealed, log.learner.task, 0)
    assert digest(read) == digest(log.state)
    arms = read.arms["champion"], log.champion
    for features, label in rows(100, seed=9):
        assert arms[0].predict(features) == arms[1].predict(features)
        for arm in arms:
            arm.score(arm.predict(features), label)
            arm.learn(features, label)
    assert digest(arms[0]) == digest(arms[1])


@pytest.mark.parametrize(
    ("attribute", "part", "value"),
    [("due", "ok", 1e9), ("due", "ok", -1.0), ("seen", "ok", -1), ("learned", "ok", 1.5)],
)
def test_a_snapshot_with_counts_that_cannot_be_is_refused(attribute, part, value):
    log = folded(20, weights="balanced")
    getattr(log.champion.sampling, attribute)[part] = value
    with pytest.raises(Exception, match=f"Weighting.{attribute}"):
        unseal(seal(log.state, log.learner.task, 0, writer="test"), log.learner.task, 0)


def test_a_snapshot_with_other_costs_than_the_definition_is_refused():
    log = folded(20, costs=COSTS)
    log.champion.cutoff.costs["ok"] = {"fraud": 1.0}
    with pytest.raises(Exception, match="LowestCost.costs"):
        unseal(seal(log.state, log.learner.task, 0, writer="test"), log.learner.task, 0)


FOLD = """
import sys
sys.path[:0] = ["tests/learning", "tests"]
import test_classes
print(test_classes.digest_of_a_run())
"""


def digest_of_a_run():
    log = folded(300, weights="balanced", costs=COSTS, arms={"forest": ArmSettings(model="arf")}, rehearsal=Rehearsal())
    return digest(log.state)


def test_another_process_folds_the_same():
    found = subprocess.check_output(
        [sys.executable, "-c", FOLD], text=True, env=os.environ | {"PYTHONHASHSEED": "0"}
    ).strip()
    assert found == digest_of_a_run()


def test_weights_hold_for_labels_that_are_learned_together():
    batch = folded(640, weights={"fraud": 5.0}, update=Update(batch=32))
    assert batch.champion.sampling.learned["fraud"] == 5 * batch.champion.sampling.seen["fraud"]
    mean = folded(
        640, kind="binary", weights={"true": 5.0}, model="online_linear", update=Update(batch=32, gradient="mean")
    )
    assert mean.champion.sampling.learned[True] == 5 * mean.champion.sampling.seen[True] > 0


def test_a_weight_belongs_to_what_a_model_is_made_of():
    log = folded(100)
    log.control("checkpoint")
    before = log.champion.predict({"x": 0.3, "y": 1.0})
    definition = json.loads(define(log.learner.task))
    log.control("define", task=definition | {"weights": {"fraud": 9.0}})
    assert log.state.arms["next"].made_of == {"use": "softmax", "weights": '{"fraud":9.0}'}
    assert log.champion.sampling is None
    log.control("promote", arm="next")
    assert log.champion.sampling.weights == {"fraud": 9.0}
    log.control("rollback", to=log.saved()[0].id)
    assert log.champion.sampling is None
    assert log.champion.predict({"x": 0.3, "y": 1.0}) == before


def test_a_challenger_may_have_weights_of_its_own():
    log = folded(50, arms={"even": ArmSettings(model={"use": "softmax", "weights": "balanced"})})
    assert log.state.arms["even"].sampling.seen["ok"] > 40
    assert log.champion.sampling is None


def test_weights_work_for_a_model_of_ones_own():
    model = "river.naive_bayes:GaussianNB"
    plain, weighted = (
        folded(200, ["river.naive_bayes"], kind="binary", model=model, weights=weights)
        for weights in (None, {"true": 3.0})
    )
    own, count = (log.champion.model.class_counts for log in (weighted, plain))
    assert own == {True: 3 * count[True], False: count[False]}


REFUSED = [
    ({"kind": "regression", "weights": "balanced"}, "weights is not for regression tasks"),
    ({"kind": "binary", "weights": {"yes": 2.0}}, "names the label 'yes', which the task has not. It has false, true"),
    ({"labels": ["ok", "spam"], "weights": {"fraud": 2.0}}, "names the label 'fraud'"),
    ({"kind": "binary", "weights": {"true": 2.0}, "negatives": 0.1}, "leave one out"),
    ({"kind": "binary", "costs": COSTS}, "use threshold with false_positive and false_negative"),
    ({"kind": "regression", "costs": COSTS}, "costs is for multiclass tasks"),
    ({"labels": ["ok", "fraud"], "costs": COSTS}, "costs names the label 'spam'"),
    ({"costs": [COSTS[0], Cost(label=1, predicted=2, cost=1.0)]}, "strings and whole numbers"),
    ({"costs": [COSTS[0], COSTS[0]]}, "says twice"),
]


@pytest.mark.parametrize(("settings", "why"), REFUSED)
def test_what_cannot_be_is_refused(settings, why):
    with pytest.raises(ValueError, match=why):
        task(**settings)


def test_anomalies_have_no_classes():
    with pytest.raises(ValueError, match="weights is not for anomaly tasks"):
        Task(name="odd", kind="anomaly", weights="balanced")
    with pytest.raises(ValueError, match="costs is for multiclass tasks"):
        Task(name="odd", kind="anomaly", costs=COSTS)


@pytest.mark.parametrize("weights", ["even", '{"true":0}', '{"true":101}', "[1]", 5, "{}"])
def test_weights_of_a_model_that_cannot_be_are_refused(weights):
    with pytest.raises(ModelError, match="weights is"):
        build({"use": "pa", "weights": weights}, "binary")
    log = written_log.Log(task())
    wanted = json.loads(define(log.learner.task)) | {"arms": {"s": {"model": {"use": "softmax", "weights": weights}}}}
    assert "refused" in log.control("define", task=wanted)
    assert "weights is" in log.of(Quarantined)[0].reason


TOML = """\
[tasks.mail]
kind = "multiclass"
labels = ["ok", "spam", "fraud"]
weights = { fraud = 10, ok = 0.5 }

[[tasks.mail.costs]]
label = "spam"
predicted = "ok"
cost = 4

[[tasks.mail.costs]]
label = "fraud"
predicted = "ok"
cost = 30
"""


def test_settings_are_read_and_make_a_definition_that_is_read_again(tmp_path):
    path = tmp_path / "headrace.toml"
    path.write_text(TOML)
    read = load(str(path)).tasks["mail"]
    assert (read.weights, read.costs) == ({"fraud": 10.0, "ok": 0.5}, sorted(COSTS, key=lambda one: one.label))
    wanted = msgspec.json.decode(define(read))
    assert wanted["costs"] == msgspec.to_builtins(read.costs)
    log = written_log.Log(task())
    log.control("define", task=wanted)
    assert log.state.definition == define(read)
    assert log.state.task.costs == read.costs
    assert (log.state.task.weights, log.state.task.model) == (read.weights, read.model)


def test_rows_of_costs_in_another_order_are_the_same_definition():
    assert define(task(costs=COSTS)) == define(task(costs=COSTS[::-1]))


def test_a_definition_without_weights_and_costs_is_what_it_was_before_there_were_any():
    assert not {"weights", "costs"} & json.loads(define(task())).keys()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("weights = { ok = 0 }", "above 0"),
        ('weights = "even"', "balanced"),
        ('costs = [{ label = "ok", predicted = "spam", cost = -1 }]', "cost"),
        ('costs = [{ label = "ok", predicted = "spam" }]', "cost"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, said):
    path = tmp_path / "headrace.toml"
    path.write_text(f'[tasks.mail]\nkind = "multiclass"\n{line}\n')
    with pytest.raises(Exception, match=r"tasks\.mail") as refused:
        load(str(path))
    print(refused.value)
    assert said in str(refused.value)
