import random

import pytest
from river.drift import ADWIN

from headrace.learning.drift import DETECTORS, Evidence
from headrace.learning.encoding import decode, digest, encode
from headrace.learning.snapshot.plausible import _check_attributes


def errors(rate, count, seed):
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(count)]


def alarms(detector, values):
    """The alarms of these errors, with their places."""
    changes = ((at, detector.update(value)) for at, value in enumerate(values))
    return [(at, change) for at, change in changes if change and not change.is_warning]


def test_it_is_in_the_catalogue():
    assert list(DETECTORS)[-1] == Evidence.name == "evidence"


@pytest.mark.parametrize("seed", range(3))
def test_a_doubled_error_is_soon_found_with_both_means(seed):
    (at, change), *rest = alarms(Evidence(), errors(0.1, 10_000, seed) + errors(0.2, 2_000, seed + 10))
    assert 10_000 < at < 10_900
    assert change.before == pytest.approx(0.1, abs=0.015)
    assert change.after == pytest.approx(0.2, abs=0.06)
    assert 50 < change.width < at - 10_000 + 250
    assert change.statistic >= change.threshold == pytest.approx(100_000 / 0.99)
    assert not rest, "after an alarm the new error is the reference"


def test_a_warning_comes_before_the_alarm_and_only_once():
    detector = Evidence()
    changes = [detector.update(error) for error in errors(0.1, 10_000, 1) + errors(0.2, 2_000, 11)]
    warning, alarm = [change for change in changes if change]
    assert (warning.is_warning, alarm.is_warning) == (True, False)
    assert warning.threshold == alarm.threshold
    assert 0.1 * warning.threshold <= warning.statistic < warning.threshold


def test_an_error_that_falls_raises_no_alarm_and_lowers_the_reference():
    rng, detector = random.Random(4), Evidence(between=10_000)
    falling = [float(rng.random() < max(0.5 - at / 20_000, 0.1)) for at in range(30_000)]
    assert not alarms(detector, falling)
    assert 0.1 < detector._settled.upper < 0.12
    assert alarms(detector, errors(0.2, 1_500, 5)), "a rise to 0.2 is a rise, though the error was 0.5 at first"


def creeping(rng):
    """An error of 0.2 that begins to creep up after 50,000 records, by a fifth in 100,000 records."""
    return [float(rng.random() < 0.2 * max(1.0, 1.0 + 0.2 * (at - 50_000) / 100_000)) for at in range(200_000)]


@pytest.mark.parametrize("seed", range(2))
def test_a_slow_decline_is_found_though_each_window_looks_like_the_last(seed):
    values = creeping(random.Random(seed))
    for start in range(0, 199_000, 1_000):
        window, following = values[start : start + 1_000], values[start + 1_000 : start + 2_000]
        assert sum(following) < sum(window) + 100, "four standard deviations"
    (at, change), *_ = alarms(Evidence(), values)
    assert 80_000 < at < 170_000
    assert change.after > 1.1 * change.before


def test_a_drift_does_not_raise_the_reference():
    detector = Evidence(between=10**9)
    for error in errors(0.2, 20_000, 1):
        detector.update(error)
    reference = detector._settled.upper
    assert not alarms(detector, errors(0.22, 100_000, 2))
    assert detector._settled.upper == reference
    assert 0.2 < reference < 0.22


def test_scale_and_reference_are_learned_anew_after_an_alarm():
    detector = Evidence(between=20_000)
    assert alarms(detector, errors(0.1, 5_000, 1) + errors(0.5, 100, 2))
    assert not alarms(detector, errors(0.5, 10_000, 3))
    assert detector._settled.upper > 0.5


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_errors_of_a_regression_are_scaled_whatever_their_unit(unit):
    rng, detector = random.Random(8), Evidence()
    steady = [abs(rng.gauss(0.0, unit)) for _ in range(10_000)]
    assert not alarms(detector, steady)
    assert detector._scale == pytest.approx(4.0 * sum(steady[:500]) / 500)
    (at, change), *_ = alarms(detector, [2.0 * abs(rng.gauss(0.0, unit)) for _ in range(500)])
    assert at < 300
    assert change.before == pytest.approx(0.8 * unit, rel=0.1)
    assert change.after > 1.3 * unit


def test_one_wild_error_counts_no_more_than_the_clip():
    detector = Evidence()
    assert not alarms(detector, [0.5 + at % 7 for at in range(5_000)])
    assert not alarms(detector, [1e300, float("inf"), float("nan"), *(0.5 + at % 7 for at in range(1_000))])
    assert detector._evidence.statistic < 1e5


@pytest.mark.parametrize("error", [0.0, 1.0, 5e-324, 3.0])
def test_errors_that_never_vary_are_no_drift_whatever_the_knob(error):
    detector = Evidence(between=10)
    assert not any(detector.update(error) for _ in range(5_000))


def test_a_first_error_after_none_is_no_drift_but_many_are():
    detector = Evidence()
    assert not alarms(detector, [0.0] * 5_000 + [1.0])
    assert alarms(detector, [1.0] * 20)


@pytest.mark.parametrize(("rate", "between", "count"), [(0.2, 1_000, 200_000), (0.05, 1_000, 200_000)])
@pytest.mark.parametrize("rise", [0.0, 0.1])
def test_false_alarms_are_as_far_apart_as_the_knob_says(rate, between, count, rise):
    assert len(alarms(Evidence(between, rise), errors(rate, count, seed=6))) <= count / between


def test_a_reference_below_the_mean_would_be_noticed(monkeypatch):
    """The mutant of the test before: a fifth less than the lowest block's mean in the place of the reference."""
    monkeypatch.setattr("headrace.learning.sequential.settled_mean.upper_mean", lambda mean, _: 0.8 * mean)
    detector = Evidence(1_000)
    detector.rise = -0.2
    assert len(alarms(detector, errors(0.2, 200_000, seed=6))) > 200_000 / 1_000


def test_early_alarms_are_as_rare_as_the_guarantee_says():
    early = sum(bool(alarms(Evidence(between=20_000), errors(0.1, 2_000, seed))) for seed in range(100))
    assert early <= 100 * (2_000 / 20_000 + 0.01)


@pytest.mark.parametrize("count", [0, 300, 500, 777, 9_000, 10_200])
@pytest.mark.parametrize("unit", [1.0, 2.5])
def test_a_copy_from_bytes_goes_on_as_the_original_does(count, unit):
    values = [unit * error for error in errors(0.1, 10_000, 1) + errors(0.3, 3_000, 2)]
    original, same = Evidence(), Evidence()
    for value in values[:count]:
        assert original.update(value) == same.update(value)
    copy = decode(encode(original))
    assert digest(copy) == digest(original) == digest(same)
    assert [copy.update(value) for value in values[count:]] == [original.update(value) for value in values[count:]]
    assert digest(copy) == digest(original)


@pytest.mark.parametrize("odd", [{"_evidence": (0.0,) * 3}, {"_evidence": ("", *(0.0,) * 3)}, {"count": -1}, {}])
def test_a_state_that_no_detector_has_is_refused(odd):
    detector = Evidence()
    for error in errors(0.1, 5_000, 1):
        detector.update(error)
    vars(detector._evidence).update(odd)
    if odd:
        with pytest.raises(ValueError, match=r"EDetector\."):
            _check_attributes(detector, Evidence())
    else:
        _check_attributes(detector, Evidence())


def test_the_state_stays_small():
    detector = Evidence()
    for error in errors(0.1, 100_000, 1):
        detector.update(error)
    assert len(encode(detector)) < 1_500


def test_it_is_sooner_than_adwin_on_a_doubled_error():
    ours, theirs = [], []
    for seed in range(5):
        values = errors(0.1, 10_000, seed) + errors(0.2, 2_000, seed + 50)
        ours.append(alarms(Evidence(), values)[0][0])
        adwin = ADWIN(delta=0.002)
        for at, value in enumerate(values):
            adwin.update(value)
            if adwin.drift_detected and at >= 10_000:
                break
        theirs.append(at)
    assert sorted(ours)[2] < sorted(theirs)[2] + 500
