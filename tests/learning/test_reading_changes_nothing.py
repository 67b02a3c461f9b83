"""Whatever is asked of a model, and however often: the state that it stands in stays what it was."""

import json
import random
from types import SimpleNamespace

import pytest
from river import compose, linear_model, preprocessing
from thorough import some

from headrace.learning.effects import Predicted
from headrace.learning.fold.learner import Learner
from headrace.learning.models import MODELS, names_for
from headrace.learning.models.preparing import OneHot
from headrace.learning.records.schema import LARGEST
from headrace.learning.snapshot import digest
from headrace.learning.task import Task

EVERY = [(kind, name) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)]
LEARNED, GO_ON = some(300, of=2), 60  # rows before the requests, and after
REQUESTS = some(1_000, of=8)

EXTREMES = [0.0, -0.0, 5e-324, -5e-324, LARGEST, -LARGEST, 2**63 - 1, -(2**63), 2**53 + 1]
TEXTS = ["PT", "ES", "never seen", "", "ä\u0000=", "x" * 4096]


def samples(kind, n):
    """Rows with numbers, booleans and strings, some of them missing, and labels that follow from them."""
    rng = random.Random(1)
    for _ in range(n):
        x = {
            "price": rng.gauss(10, 3),
            "count": rng.randrange(9),
            "new": rng.random() < 0.5,
            "country": rng.choice(["PT", "ES"]),
        }
        score = x["price"] + 5 * (x["country"] == "PT") + rng.gauss(0, 1)
        label = {
            "binary": score > 12,
            "anomaly": score > 18,
            "multiclass": ["low", "mid", "high", "7"][int(score) % 4],
            "regression": score,
        }[kind]
        if rng.random() < 0.1:
            del x[rng.choice(list(x))]
        yield {"features": x, "label": label}


def requests(n):
    """What a client may ask: features that the model knows, or not, of any type and size; every seventh has none at all."""
    rng = random.Random(2)
    values = [
        lambda: rng.gauss(10, 3),
        lambda: rng.choice(EXTREMES),
        lambda: rng.choice(TEXTS),
        lambda: rng.random() < 0.5,
        lambda: rng.randrange(-9, 9),
    ]
    for number in range(n):
        names = ["price", "count", "new", "country", "country=PT", f"unknown {number}", "", "é" * 256]
        asked = [] if number % 7 == 0 else rng.sample(names, rng.randrange(1, len(names) + 1))
        yield {name: rng.choice(values)() for name in asked}


def fold(learner, rows):
    """The predictions told while the rows, a message each, are folded."""
    told = []
    for row in rows:
        message = SimpleNamespace(
            offset=learner.state.position, timestamp=0, key=None, value=json.dumps(row, ensure_ascii=False).encode()
        )
        for effects in learner.fold(message):
            told += [repr(effect.prediction) for effect in effects if isinstance(effect, Predicted)]
    return told


def learned(kind, name):
    """A learner after the first rows, and the rows that come next."""
    rows = list(samples(kind, LEARNED + GO_ON))
    learner = Learner(Task(name="t", kind=kind, model=name, predictions=True), partition=0)
    fold(learner, rows[:LEARNED])
    assert learner.state.updates == LEARNED
    return learner, rows[LEARNED:]


def test_every_model_of_the_catalogue_is_asked():
    assert {name for _, name in EVERY} == set(MODELS)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_requests_leave_the_digest_and_what_follows_alone(kind, name):
    learner, rest = learned(kind, name)
    before = digest(learner.state)
    for features in requests(REQUESTS):
        asked = dict(features)
        learner.champion.predict(features)
        assert repr(features) == repr(asked), "the request itself stays what it was"
    assert digest(learner.state) == before
    # What the digest might leave out would show in what follows.
    unasked, _ = learned(kind, name)
    assert digest(unasked.state) == before
    assert fold(learner, rest) == fold(unasked, rest)
    assert digest(learner.state) == digest(unasked.state)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_cold_model_is_left_alone(kind, name):
    learner = Learner(Task(name="t", kind=kind, model=name), partition=0)
    before = digest(learner.state)
    for features in requests(100):
        learner.champion.predict(features)
    learner.describe()
    assert digest(learner.state) == before


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_metrics_and_descriptions_leave_the_digest_alone(kind, name):
    learner, _ = learned(kind, name)
    before = digest(learner.state)
    for _ in range(3):
        values = learner.champion.scoreboard.values()
        assert learner.champion.describe()["metrics"] == values
        assert learner.describe()["arms"]["champion"]["metrics"] == values
        assert digest(learner.state) == before


# A change that reading makes is noticed.


def test_a_scaler_that_remembers_what_it_was_asked_is_noticed():
    learner, rest = learned("binary", "logistic")
    model = compose.Pipeline(OneHot(), preprocessing.StandardScaler(), linear_model.LogisticRegression())
    learner.champion.model = model
    fold(learner, rest)
    before = digest(learner.state)
    learner.champion.predict({"unknown": 1.0})
    assert digest(learner.state) != before


class Buffered:
    """Takes what it was told into its sum when it is read, and no sooner."""

    @classmethod
    def exact(cls):
        return cls()

    def __init__(self):
        self.sum, self.told = 0.0, []

    def update(self, label, value, p):
        self.told.append(p)

    def update_many(self, scored):
        self.told += [p for _, _, p in scored]

    def view(self):
        while self.told:
            self.sum += self.told.pop()
        return self.sum


def test_a_tally_that_changes_when_it_is_read_is_noticed():
    learner, rest = learned("binary", "logistic")
    learner.champion.scoreboard.tallies["area"] = Buffered()
    fold(learner, rest)
    before = digest(learner.state)
    learner.describe()
    assert digest(learner.state) != before
