"""What detectors and guards are given: the errors made before learning, a reference that no drift raises, and predictions of the champion of now."""

import random
from collections import deque
from contextlib import contextmanager

import pytest
from drifting_logs import DRIFTING, drifting
from thorough import IS_THOROUGH, some
from written_log import Log

from headrace.agents.outlet import encode
from headrace.learning.acts import champion
from headrace.learning.drift.evidence import Evidence
from headrace.learning.effects import Predicted
from headrace.learning.fold import act, learn
from headrace.learning.fold.learner import Learner
from headrace.learning.models.rate import Rate
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.supplies import supplies_of
from headrace.learning.task import Guard, Task
from headrace.learning.waiting.batch import LabelledFeatures
from headrace.learning.watch import Watch

SEEDS = 8 if IS_THOROUGH else 4


def is_fed_what_was_published(seed, monkeypatch):
    """Whether the detector of the champion's error got the errors of the predictions that were published, in their order."""
    fed = []
    update = Watch.update
    monkeypatch.setattr(Watch, "update", lambda self, error, arm: fed.append(error) or update(self, error, arm))
    guard = Guard(against=[], label_rate=False)
    log = Log(Task(name="ads", kind="binary", model="pa", predictions=True, detectors=[{"use": "adwin"}], guard=guard))
    log.rng = random.Random(seed)
    for _ in range(6):
        log.samples(8, sign=log.rng.choice([1, -1]))
    monkeypatch.setattr(Watch, "update", update)
    published = [one for one in log.of(Predicted) if one.prediction is not None]
    assert len(published) > 40
    return fed == [float(one.prediction.value != one.label) for one in published]


def learn_first(parts, turn, features, label, record_id):
    """Mutant: a sample is learned before its error is computed for the detectors."""
    for name, arm in parts.state.arms.items():
        prediction = learn.predict(turn, name, arm, features)
        if arm.role != "baseline":
            turn.emit(Predicted(id=turn.next_id(), record=record_id, arm=name, prediction=prediction, label=label))
    learn.learn(parts, features, label)
    predictions = {name: arm.predict(features) for name, arm in parts.state.arms.items()}
    learn.judge(parts, turn, predictions, LabelledFeatures(features, label), parts.state.step)


def test_detectors_get_the_errors_made_before_learning_and_one_that_gets_later_ones_is_noticed(monkeypatch):
    assert all(is_fed_what_was_published(seed, monkeypatch) for seed in range(SEEDS))
    monkeypatch.setattr(act, "learn_sample", learn_first)
    noticed = sum(not is_fed_what_was_published(seed, monkeypatch) for seed in range(SEEDS))
    assert noticed >= SEEDS - 1, f"{learn_first.__doc__} Noticed in {noticed} of {SEEDS} runs."


class FollowsTheError(Evidence):
    """Mutant: the reference is the mean of the last errors, so that a drift raises it."""

    def _start(self):
        super()._start()
        self._recent = deque(maxlen=500)

    def update(self, error):
        change = super().update(error)
        self._recent.append(error)
        if self._scale and len(self._recent) == 500:
            self._settled.upper = sum(self._recent) / 500 + 0.04
            self._lower_reference()
        return change


def declines_found(detector_type, seed):
    """Whether an error that rises slowly from 0.1 to 0.3 is told, and whether the reference has ever risen before that."""
    dice, detector, reference = random.Random(seed), detector_type(between=10_000), 1.0
    rose = False
    for at in range(10_000):
        share = 0.1 + 0.2 * max(at - 4_000, 0) / 6_000
        change = detector.update(float(dice.random() < share))
        if change is not None and not change.is_warning:
            return True, rose
        if detector._is_testing:
            rose |= detector._evidence.mean > reference
            reference = detector._evidence.mean
    return False, rose


def test_a_drift_does_not_raise_the_reference_and_a_detector_that_lets_it_is_noticed():
    assert {declines_found(Evidence, seed) for seed in range(SEEDS)} == {(True, False)}
    missed = [declines_found(FollowsTheError, seed) for seed in range(SEEDS)]
    assert sum(not found for found, _ in missed) >= SEEDS - 2, f"{FollowsTheError.__doc__} Found: {missed}"
    assert all(rose for _, rose in missed)


class Watched:
    """A guard that notes whether it is given what another model than the champion of now has predicted."""

    admits = False

    def __init__(self, learner):
        self.learner, self.wrong, self.given = learner, 0, 0
        self.asked, self.by = {}, None

    @contextmanager
    def see(self, record):
        """Surround a record: note which model answers a question, and which one had answered that of a label."""
        model = self.learner.champion.model
        has_label, has_features = isinstance(record.label, bool), isinstance(record.features, dict)
        self.by = model if has_features else self.asked.get(record.id)
        if has_features and not has_label:
            self.asked[record.id] = model
        yield
        self.by = None

    def compare(self, compared):
        if "champion" in compared.predictions and self.by is not None:
            self.given += 1
            self.wrong += self.by is not self.learner.champion.model
        return

    def restart(self):
        pass


def judged_of_others(seed):
    """How many labels the guards were given, and for how many of them with predictions of a champion that has been replaced."""
    log = drifting(seed, DRIFTING["boosted"])
    learner = Learner(DRIFTING["boosted"], 0, supplies=supplies_of(DRIFTING["boosted"]))
    watched = Watched(learner)
    learner.watcher = watched.see
    learner.guards = (watched, *learner.guards)
    for message in log:
        if b'"install"' not in message.value:
            for _ in learner.fold(message):
                pass
    return watched.given, watched.wrong


def test_guards_get_no_prediction_of_a_champion_that_was_replaced_and_guards_that_do_are_noticed(monkeypatch):
    results = [judged_of_others(seed) for seed in range(SEEDS)]
    assert all(given > 200 and not wrong for given, wrong in results), results
    begin_anew = champion.begin_anew

    def forget(state):
        """Mutant: does not note when the champion was replaced."""
        begin_anew(state)
        state.arms["champion"].since = 0

    monkeypatch.setattr(champion, "begin_anew", forget)
    noticed = sum(judged_of_others(seed)[1] > 0 for seed in range(SEEDS))
    assert noticed >= SEEDS - 1, f"{forget.__doc__} Noticed in {noticed} of {SEEDS} runs."


def folded(log, task, restart=None, forget=lambda state: None):
    """The digest and the effects of a fold; before the message of the number `restart`, the state is sealed, read, and forgets something."""
    supplies, effects = supplies_of(task), []
    for message in log:
        supplies.promises.note(message)
    learner = Learner(task, 0, supplies=supplies)
    for number, message in enumerate(log):
        if number == restart:
            state = unseal(seal(learner.state, task, 0, writer="test"), task, 0)
            forget(state)
            learner = Learner(task, 0, state, learner.join.pending, supplies)
        for told in learner.fold(message):
            effects += map(encode, told)
    return digest(learner.state), effects


@pytest.mark.parametrize("name", DRIFTING)
def test_a_fold_that_goes_on_from_a_snapshot_reacts_as_one_that_was_never_interrupted(name):
    log = drifting(1, DRIFTING[name])
    whole = folded(log, DRIFTING[name])
    for restart in random.Random(name).sample(range(len(log)), some(4, of=2)):
        assert folded(log, DRIFTING[name], restart) == whole, restart


FORGETTING = {
    "the signals": lambda state: state.signals.clear(),
    "what reactions have done": lambda state: state.acts.clear(),
    "what the guards have compared": lambda state: [guard.restart() for guard in state.guards.values()],
    "what the detectors have seen": lambda state: [arm.watch_anew(state.task) for arm in state.arms.values()],
    "that the learning rate was changed": lambda state: setattr(state.arms["champion"], "rate", Rate()),
}
"""Mutants: what is kept beside the state in place of in it, and is gone after a crash. Each with the task in which it matters."""


FLOORS = {
    "the signals": 4,
    "what reactions have done": 3,
    "what the guards have compared": 3,
    "what the detectors have seen": 4,
    "that the learning rate was changed": 1,
}
"""In how many of the restarts each must be noticed at least."""


@pytest.mark.parametrize("forgotten", FORGETTING)
def test_what_would_not_be_in_the_state_would_be_missed(forgotten):
    log, task = drifting(1, DRIFTING["boosted"]), DRIFTING["boosted"]
    whole, restarts = folded(log, task), range(60, len(log) - 20, 40)
    missed = 0
    for restart in restarts:
        missed += folded(log, task, restart, FORGETTING[forgotten]) != whole
        if not IS_THOROUGH and missed == FLOORS[forgotten]:
            break
    assert missed >= FLOORS[forgotten], f"{forgotten}: missed in {missed} of {len(restarts)} runs"
