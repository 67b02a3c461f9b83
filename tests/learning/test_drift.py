import pickle
import random

import msgspec
import pytest
from river.drift import ADWIN

from headrace.learning.drift import Adwin, Change
from headrace.learning.snapshot import digest


def errors(seed):
    """Error rates that rise and fall."""
    rng = random.Random(seed)
    return [float(rng.random() < rate) for rate in (0.1, 0.5, 0.2, 0.8, 0.05) for _ in range(1_500)]


@pytest.mark.parametrize("seed", range(3))
def test_it_fires_where_rivers_does_and_knows_both_sides(seed):
    ours, river, changes = Adwin(), ADWIN(), []
    for error in errors(seed):
        before, width_before = river.estimation, river.width
        river.update(error)
        change = ours.update(error)
        assert (change is not None) == river.drift_detected
        if change:
            assert change == Change(before, river.estimation, width_before, river.width)
            changes.append(change)
    assert any(change.after > change.before for change in changes)
    assert any(change.after < change.before for change in changes), "it fires on improvement too"
    assert all(change.width < change.width_before for change in changes)


def test_a_steady_error_is_no_change():
    detector = Adwin()
    assert not any(detector.update(float(number % 5 == 0)) for number in range(5_000))


def test_a_copy_from_bytes_fires_where_the_original_does():
    detector, rest = Adwin(), errors(7)
    for error in rest[:1_400]:
        detector.update(error)
    copy = pickle.loads(pickle.dumps(detector))
    assert digest(copy) == digest(detector)
    assert [copy.update(error) for error in rest[1_400:]] == [detector.update(error) for error in rest[1_400:]]
    assert digest(copy) == digest(detector)


def test_a_change_cannot_be_changed():
    with pytest.raises(AttributeError):
        Change(0.1, 0.2, 10, 5).before = 0.0
    assert (
        msgspec.json.encode(Change(0.1, 0.2, 10, 5))
        == b'{"before":0.1,"after":0.2,"width_before":10,"width":5,"statistic":null,"threshold":null,"is_warning":false,"is_oscillation":false}'
    )
    assert Adwin().name == "adwin"
