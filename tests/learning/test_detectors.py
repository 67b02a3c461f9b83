"""Every detector of the catalogue: it sees a planted change, keeps quiet without one, and goes on from bytes as it would have."""

import random
from math import inf

import numpy as np
import pytest
from river import drift
from river._river_rust.drift import AdaptiveWindowing
from thorough import only_thorough

from headrace.learning.drift import DETECTORS, Adwin, Change, Weighing, make_detector
from headrace.learning.errors import DetectorError
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.snapshot.plausible import _check_attributes

VOTE = {"use": "vote", "detectors": ["adwin", "ddm", {"use": "hddm_a"}], "votes": 2}


def errors(seed, *rates, each=2_000):
    """Errors of classes, 0 or 1, at one rate after another."""
    rng = random.Random(seed)
    return [float(rng.random() < rate) for rate in rates for _ in range(each)]


def amounts(seed, *means, each=3_000):
    """Numbers around one mean after another."""
    rng = random.Random(seed)
    return [rng.gauss(mean, 1.0) for mean in means for _ in range(each)]


def words(seed, *shares, each=3_000):
    """Strings of which `card` has one share after another."""
    rng = random.Random(seed)
    return ["card" if rng.random() < share else rng.choice("abcde") for share in shares for _ in range(each)]


def losses(seed, *swings, each=2_000):
    """Numbers that swing up and down by one amount after another."""
    rng = random.Random(seed)
    return [rng.random() + swing * (at % 2) for swing in swings for at in range(each)]


# For each detector: its settings, a series with one change in the middle, another without a change, and the greatest delay.
CASES = {
    "adwin": ("adwin", errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, 0.2), 200),
    "page_hinkley": ("page_hinkley", errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, 0.2), 300),
    "kswin": ({"use": "kswin", "alpha": 0.00001}, amounts(1, 0.0, 2.0, each=500), amounts(2, 0.0, each=500), 30),
    "ddm": ("ddm", errors(1, 0.1, 0.4), errors(4, 0.2, 0.2, each=1_000), 300),
    "hddm_a": ("hddm_a", errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, 0.2), 200),
    "hddm_w": ("hddm_w", errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, each=500), 100),
    "error_rise": ("error_rise", losses(1, 0.0, 0.5), losses(2, 0.0, 0.0, 0.0, each=5_000), 600),
    "oscillation": ("oscillation", losses(1, 0.0, 0.5), losses(2, 0.0, 0.0, 0.0, each=5_000), 500),
    "ks": ("ks", amounts(1, 0.0, 0.3), amounts(2, 0.0, 0.0, 0.0, each=10_000), 1_000),
    "psi": ("psi", amounts(1, 0.0, 0.8), amounts(2, 0.0, 0.0, 0.0, each=10_000), 1_000),
    "psi of strings": ("psi", words(1, 0.3, 0.6), words(2, 0.3, 0.3, each=10_000), 1_000),
    "chi_square": ("chi_square", words(1, 0.3, 0.4), words(2, 0.3, 0.3, each=10_000), 1_000),
    "evidence": ({"use": "evidence", "between": 10_000}, errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, 0.2), 200),
    "vote": (VOTE, errors(1, 0.1, 0.4), errors(2, 0.2, 0.2, 0.2), 300),
}


def signals(detector, series):
    """The changes that a detector signals, each with its place, without the warnings."""
    found = ((at, detector.update(value)) for at, value in enumerate(series))
    return [(at, change) for at, change in found if change and not change.is_warning]


def test_every_detector_has_a_case():
    assert {spec if isinstance(spec, str) else spec["use"] for spec, *_ in CASES.values()} == set(DETECTORS)
    assert [name for name, kind in DETECTORS.items() if kind.name != name] == []


@pytest.mark.parametrize("name", CASES)
def test_a_planted_change_is_seen_soon(name):
    spec, series, _, delay = CASES[name]
    middle = len(series) // 2
    (at, change), *_ = signals(make_detector(spec), series)
    assert middle <= at <= middle + delay
    assert change.width_before > 0 < change.width
    assert isinstance(change.before, float)
    assert isinstance(change.after, float)
    if name != "oscillation":  # which tells no direction
        assert change.after > change.before
        half = series[:middle], series[middle:]
        means = [sum(1 if one == "card" else one for one in part if one not in set("abcde")) / middle for part in half]
        assert change.before == pytest.approx(means[0], abs=0.12)
    if name not in ("adwin", "kswin"):  # ADWIN tells none; KSWIN's is a chance, which is low for a change
        assert change.statistic >= change.threshold or (name == "oscillation" and change.statistic < change.threshold)


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_seen_where_nothing_changes(name):
    spec, _, series, _ = CASES[name]
    assert signals(make_detector(spec), series) == []


WEIGHING = [name for name, (spec, *_) in CASES.items() if isinstance(make_detector(spec), Weighing)]


def shares(detector, series):
    """The evidence as a share of the threshold, now and then, and at last after the last value."""
    for at, value in enumerate(series, 1):
        detector.update(value)
        if (at % 29 == 0 or at == len(series)) and (weight := detector.weigh()):
            yield weight.statistic / weight.threshold


@pytest.mark.parametrize("name", WEIGHING)
def test_evidence_is_below_the_threshold_without_a_change_and_near_it_before_a_signal(name):
    spec, series, steady, _ = CASES[name]
    assert max(shares(make_detector(spec), steady)) < 1
    (at, change), *_ = signals(make_detector(spec), series)
    assert max(shares(make_detector(spec), series[: len(series) // 2])) < 1
    *_, last = shares(make_detector(spec), series[:at])
    assert last >= 0.5
    if name.split()[0] in ("ks", "psi", "chi_square", "page_hinkley"):
        assert last == pytest.approx(change.statistic / change.threshold, rel=0.1)


@pytest.mark.parametrize("name", WEIGHING)
def test_to_weigh_changes_nothing(name):
    spec, series, *_ = CASES[name]
    asked, other = make_detector(spec), make_detector(spec)
    for value in series[:1_700]:
        asked.update(value)
        other.update(value)
        asked.weigh()
    assert digest(asked) == digest(other)


def test_detectors_that_compute_a_statistic_of_what_can_be_a_feature_weigh_it():
    assert {CASES[name][0] if isinstance(CASES[name][0], str) else CASES[name][0]["use"] for name in WEIGHING} == {
        *("page_hinkley", "ks", "psi", "chi_square", "evidence", "vote")
    }


def test_a_rare_category_in_the_beginning_of_a_window_is_no_evidence():
    detector = make_detector("chi_square")
    for value in [*["a", "b"] * 498, *"cdef", *["a", "b"] * 50, *"cccc"]:
        detector.update(value)
    statistic, threshold = detector.weigh() or (0.0, 1.0)
    assert statistic < threshold


@pytest.mark.parametrize("mode", ["up", "down"])
def test_page_hinkley_weighs_the_direction_that_it_looks_in(mode):
    detector = make_detector({"use": "page_hinkley", "mode": mode, "threshold": 90})
    for value in amounts(1, 0.0, 0.3, each=300):
        assert detector.update(value) is None
    statistic, threshold = detector.weigh()
    assert (statistic > threshold / 2) == (mode == "up")


@pytest.mark.parametrize(
    "share", [pytest.param(0.01, marks=only_thorough), pytest.param(0.4, marks=only_thorough), 0.499, 0.55]
)
@pytest.mark.parametrize("name", CASES)
def test_a_detector_from_bytes_goes_on_as_the_one_that_was_written(name, share):
    spec, series, *_ = CASES[name]
    series = series * 2
    detector, at = make_detector(spec), int(len(series) * share)
    for value in series[:at]:
        detector.update(value)
    data = encode(detector)
    copy = decode(data)
    assert encode(copy) == data
    _check_attributes(copy, make_detector(spec))  # as a snapshot's is compared with a new one
    rest = [detector.update(value) for value in series[at:]]
    assert [copy.update(value) for value in series[at:]] == rest
    assert any(rest)
    assert digest(copy) == digest(detector)


BOTH = {"two_sided_test": True}
RIVERS = {
    "adwin": ({}, drift.ADWIN),
    "page_hinkley": ({}, drift.PageHinkley),
    "page_hinkley down": ({"mode": "down"}, drift.PageHinkley),
    "kswin": ({"seed": 7}, drift.KSWIN),
    "ddm": ({}, drift.binary.DDM),
    "hddm_a": ({}, drift.binary.HDDMA),
    "hddm_a both": (BOTH, drift.binary.HDDMA),
    "hddm_w": ({}, drift.binary.HDDMW),
    "hddm_w both": (BOTH, drift.binary.HDDMW),
}


@pytest.mark.parametrize("name", RIVERS)
def test_it_signals_where_rivers_does(name):
    parameters, kind = RIVERS[name]
    ours, rivers, is_inside = make_detector({"use": name.split()[0], **parameters}), kind(**parameters), False
    told, seen, zones = [], [], 0
    for at, value in enumerate(errors(3, 0.1, 0.5, 0.2, 0.8, 0.05, each=500 if name == "kswin" else 1_500)):
        rivers.update(value)
        change = ours.update(value)
        if rivers.drift_detected:
            seen.append(at)
        elif getattr(rivers, "warning_detected", False) and not is_inside:
            zones += 1
        is_inside = getattr(rivers, "warning_detected", False) and not rivers.drift_detected
        if change:
            told.append((at, change))
    assert [at for at, change in told if not change.is_warning] == seen
    assert len(seen) > 1
    assert sum(change.is_warning for _, change in told) == zones
    directions = {change.after > change.before for _, change in told if not change.is_warning}
    one_sided = {"ddm": {True}, "hddm_a": {True}, "hddm_w": {True}, "page_hinkley down": {False}}
    assert directions == one_sided.get(name, {True, False})
    for _, change in told:
        if change.statistic is not None and name != "kswin":
            assert change.statistic >= change.threshold


def test_adwin_signals_where_that_of_capymoa_does():
    """CapyMOA's tutorial on drift detection has ADWIN(delta=0.001) signal this change at the values 1,024 and 1,088.

    The tutorial draws 2,000 first values, and then the 1,000 that replace their second half. It counts values from 1; we count from 0, so
    the places are 1,023 and 1,087. The second signal is about the rest of the old values that ADWIN still has in its window: like MOA's,
    the core of River's ADWIN keeps the newer part of the window. River's class, and so ours, drops the whole window after a signal, and
    signals the change once.
    """
    rng = np.random.default_rng(42)
    series = rng.integers(0, 2, size=2_000).astype(float)
    series[1_000:] = rng.integers(6, 12, size=1_000)
    core = AdaptiveWindowing(delta=0.001, clock=32, max_buckets=5, min_window_length=5, grace_period=10)
    assert [at for at, value in enumerate(series.tolist()) if core.update(value)] == [1_023, 1_087]
    assert [at for at, _ in signals(Adwin(delta=0.001), series.tolist())] == [1_023]


def test_the_means_of_a_change_are_those_of_its_two_parts():
    """Where a detector knows the place of the change, the means are of the values on both sides of it."""
    series = errors(1, 0.1, 0.5)
    for name in ("page_hinkley", "ddm", "hddm_a"):
        (at, change), *_ = signals(make_detector(name), series)
        cut = at + 1 - change.width
        assert change.width_before == cut
        assert change.before == pytest.approx(sum(series[:cut]) / cut)
        assert change.after == pytest.approx(sum(series[cut : at + 1]) / change.width)


def test_a_detector_warns_once_until_the_zone_is_left():
    detector, rivers = make_detector("ddm"), drift.binary.DDM()
    told, zone = [], []
    for value in errors(1, 0.1, 0.4):
        told.append(detector.update(value))
        rivers.update(value)
        zone.append(rivers.warning_detected)
    entered = [at for at in range(1, len(zone)) if zone[at] and not zone[at - 1]]
    assert [at for at, change in enumerate(told) if change and change.is_warning] == entered
    assert len(entered) < sum(zone)


def rise(series, **parameters):
    return signals(make_detector({"use": "error_rise", "window": 100, **parameters}), series)


def test_error_rise_warns_at_half_of_the_rise_and_signals_at_the_whole():
    detector = make_detector({"use": "error_rise", "window": 100})
    told = [(at, change) for at in range(400) if (change := detector.update(0.1 if at < 200 else 0.3))]
    assert [(at, change.is_warning) for at, change in told] == [(202, True), (205, False)]
    assert [(change.before, change.width_before, change.width) for _, change in told] == [(0.1, 100, 100)] * 2
    assert told[1][1].statistic == told[1][1].after > told[1][1].threshold == pytest.approx(0.11)


def test_a_slow_decline_cannot_drag_the_reference_of_error_rise_along():
    """The error rises by 1 % in each window: no window is 10 % above the one before it."""
    ((at, change), *_) = rise([0.5 * 1.01 ** (at / 100) for at in range(2_500)])
    assert change.before == pytest.approx(0.5, rel=0.01)
    assert 900 < at < 1_200


def test_only_a_rise_is_one_and_a_fall_lowers_the_reference():
    assert rise([0.5] * 500 + [0.2] * 500) == []
    ((_, change),) = rise([0.5] * 500 + [0.2] * 500 + [0.3] * 500)
    assert change.before == pytest.approx(0.2)


def test_after_a_detection_the_reference_is_learned_anew():
    """The higher level is the reference from then on, so it is signalled once."""
    assert [at for at, _ in rise([0.1] * 300 + [0.5] * 1_000 + [0.8] * 300)] == [302, 1_316]


def test_the_window_that_overlaps_the_last_one_is_no_reference():
    """The drift begins within a window. Its low first part does not make a reference, and its high part raises none."""
    series = [0.2] * 250 + [0.21] * 50 + [0.215] * 500
    assert rise(series) == []
    ((at, change),) = rise([*series, *[0.3] * 100])
    assert change.before == pytest.approx(0.2)
    assert at < 830


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_oscillation_signals_each_window_while_it_lasts(offset):
    detector = make_detector("oscillation")
    series = [offset + value for value in losses(6, 0.0, 0.5, 0.0, each=1_000)]
    found = signals(detector, series)
    assert [at for at, _ in found] == [1_499, 1_999]
    for at, change in found:
        part = np.array(series[at - 499 : at + 1])
        centred = part - part.mean()
        assert change.statistic == pytest.approx((centred[1:] * centred[:-1]).sum() / (centred**2).sum(), abs=1e-6)
        assert (change.threshold, change.width) == (pytest.approx(-4 / 500**0.5), 500)


def test_a_constant_and_a_trend_do_not_oscillate():
    assert signals(make_detector("oscillation"), [0.3] * 2_000 + [at / 100 for at in range(2_000)]) == []


def test_a_vote_counts_each_detector_once_and_forgets_old_votes():
    spec = {"use": "vote", "detectors": ["adwin", {"use": "oscillation", "window": 100}], "votes": 2, "within": 150}
    late = [0.1] * 992 + [0.9] * 600 + [0.8, 1.0] * 150
    assert signals(make_detector(spec), late) == []
    ((_, change),) = signals(make_detector({**spec, "within": 1_000}), late)
    assert (change.statistic, change.threshold) == (2.0, 2.0)
    assert make_detector(spec).takes == {"shares", "errors", "numbers"}
    assert make_detector(VOTE).takes == {"shares"}


def test_a_number_that_is_nearly_always_the_same_has_bins_of_its_own():
    for before, after in ((0.0, 1.0), (1.0, 0.0), (5.0, -5.0)):
        ((at, change),) = signals(make_detector("psi"), [before] * 2_000 + [after] * 1_000)
        assert (at, change.before, change.after) == (2_999, before, after)


def test_noise_raises_the_threshold_of_the_stability_index():
    """In windows of 50 the index passes 0.2 by chance alone; the threshold is what noise passes once in a thousand windows."""
    series = amounts(8, 0.0, each=20_000)
    detector = make_detector({"use": "psi", "window": 50, "bound": 0.01})
    assert len(signals(detector, series)) <= 4
    ((_, change), *_) = signals(make_detector({"use": "psi", "window": 50}), amounts(8, 0.0, 3.0, each=500))
    assert change.threshold == pytest.approx(27.88 * 2 / 50, rel=0.01)


def test_a_feature_that_becomes_a_string_begins_a_new_reference():
    assert signals(make_detector("psi"), [1.0] * 1_500 + ["a"] * 2_500) == []


def test_categories_beyond_fifty_are_one():
    rng = random.Random(9)
    series = [f"{rng.random():.12f}" for _ in range(20_000)] + [f"n{rng.randrange(3)}" for _ in range(1_000)]
    ((at, change),) = signals(make_detector("chi_square"), series)
    assert (at, change.before, change.after) == (20_999, 1.0, 0.0)
    many = [f"n{int(rng.expovariate(1 / 40))}" for _ in range(100_000)]
    assert signals(make_detector("chi_square"), many) == []


def test_a_new_category_is_a_change_of_its_share():
    ((_, change),) = signals(make_detector("chi_square"), ["a", "b"] * 1_000 + ["a", "b", "c", "c"] * 250)
    assert (change.before, change.after) == (0.0, 0.5)


@pytest.mark.parametrize("name", ["ks", "psi", "chi_square"])
def test_false_alarms_of_features_stay_within_the_level(name):
    """At a level of 5 % among 5 features, about 1 % of the windows may be false alarms of each; the index allows fewer."""
    rng = random.Random(10)
    spec = {"use": name, "window": 100, "alpha": 0.05, "among": 5}
    draw = (lambda: rng.choice("abcdefgh")) if name == "chi_square" else rng.random
    assert len(signals(make_detector(spec), [draw() for _ in range(100_000)])) <= 25
    assert make_detector(spec).level == 0.01


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("adwinn", "there is no detector 'adwinn'. Did you mean 'adwin'?"),
        ({"delta": 0.1}, "the detector has no name. Set use to one of adwin, page_hinkley, "),
        ({"use": "adwin", "deta": 0.1}, "the detector 'adwin' has no parameter 'deta'. Did you mean 'delta'?"),
        ({"use": "adwin", "delta": 0.0}, "the detector 'adwin': delta is 0.0. It takes a number above 0.0."),
        ({"use": "adwin", "delta": "low"}, "the detector 'adwin': delta is 'low'. It takes a number."),
        ({"use": "page_hinkley", "mode": "left"}, "the detector 'page_hinkley': mode is 'left'."),
        ({"use": "page_hinkley", "threshold": inf}, "the detector 'page_hinkley': threshold is inf."),
        ({"use": "kswin", "stat_size": 80}, "window_size is 100, less than twice stat_size, which is 80."),
        (
            {"use": "error_rise", "window": 5},
            "the detector 'error_rise': window is 5. It takes a whole number from 10.",
        ),
        ({"use": "vote"}, "the detector 'vote' has no detectors. Set detectors."),
        ({"use": "vote", "detectors": []}, "the detector 'vote': detectors is []."),
        ({"use": "vote", "detectors": ["adwin"]}, "votes is 2, more than the 1 detectors."),
        ({"use": "vote", "detectors": ["adwin", "ddn"]}, "there is no detector 'ddn'. Did you mean 'ddm'?"),
        ({"use": "vote", "detectors": ["adwin", "vote"]}, "a vote cannot hold a vote."),
        ({"use": "evidence", "rise": inf}, "the detector 'evidence': rise is inf. It takes a number up to "),
        ({"use": "evidence", "rise": -0.1}, "the detector 'evidence': rise is -0.1. It takes a number from 0.0."),
        ({"use": "evidence", "between": 0}, "the detector 'evidence': between is 0. It takes a whole number from 1."),
        ({"use": "vote", "detectors": ["ddm", "ks"]}, "no series can be watched by all of its detectors."),
        ({"use": "chi_square", "among": 0}, "the detector 'chi_square': among is 0. It takes a whole number from 1."),
    ],
)
def test_a_detector_that_cannot_be_made_is_refused_with_a_remedy(spec, says):
    with pytest.raises(DetectorError) as caught:
        make_detector(spec)
    assert says in str(caught.value)


def test_a_change_that_no_detector_doubts_is_no_warning():
    assert Change(0.1, 0.2, 10, 5).is_warning is False


def test_ddm_with_thresholds_below_one_signals_and_does_not_raise():
    dice = random.Random(1)
    detector = make_detector({"use": "ddm", "drift_threshold": 0.5, "warning_threshold": 0.5})
    changes = [detector.update(float(dice.random() < 0.3)) for _ in range(300)]
    assert any(changes)
