import itertools
import random
from math import fsum

import pytest

from headrace.learning.encoding import decode, digest, encode
from headrace.learning.sequential import Difference, EDetector, SettledMean
from headrace.learning.sequential.settled_mean import upper_mean


def uniform(count):
    """The same numbers between 0 and 1 in every language: a congruential recurrence."""
    number, numbers = 12345, []
    for _ in range(count):
        number = (1103515245 * number + 12345) % 2**31
        numbers.append(number / 2**31)
    return numbers


UNIFORM = uniform(5001)
PAIRED = [1.0 if u < 0.05 else -1.0 if u < 0.15 else 0.0 for u in UNIFORM[:-1]]
SHARES = [u - following**2 for u, following in itertools.pairwise(UNIFORM)]

# confseq 0.0.11 (commit 70b1ef3): boundaries.gamma_exponential_mixture_bound(v, 0.025, v_opt=100, c=2, alpha_opt=0.025), with v the sum
# of squared deviations from the mean of the values before, by numpy: as confseq_eb of comparecast puts them together.
DIFFERENCES = {
    "paired": {
        50: (-0.307107591282028, 0.307107591282028),
        100: (-0.22201153662807158, 0.16201153662807158),
        1000: (-0.07829822592939618, 0.012298225929396181),
        5000: (-0.06854792223870894, -0.030652077761291058),
    },
    "shares": {
        50: (-0.14262312060352916, 0.5238005784687876),
        100: (-0.039550593482373775, 0.3737112439321637),
        1000: (0.1207734230260927, 0.21502769706544148),
        5000: (0.14598866787938763, 0.18785769587076018),
    },
}

# The definition in fractions.Fraction: the sum, over all values at which a change may have begun, of the product of the factors since.
STATISTICS = {
    (0.125, 0.0): {1: 0.833984375, 10: 11.649893595000691, 30: 55.281298179919865, 60: 276.81494172735046},
    (0.0625, -1.0): {1: 1.029296875, 10: 7.867868765318022, 30: 23.712845225296185, 60: 39.191535807550714},
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_bounds_of_a_difference_are_those_of_confseq_and_never_narrower(name):
    difference = Difference(alpha=0.05)
    for at, value in enumerate(PAIRED if name == "paired" else SHARES, 1):
        difference.update(value)
        if at in DIFFERENCES[name]:
            low, high = difference.bounds()
            expected_low, expected_high = DIFFERENCES[name][at]
            assert (low, high) == pytest.approx((expected_low, expected_high), abs=1e-4 * (high - low))
            assert low <= expected_low + 1e-12
            assert high >= expected_high - 1e-12


@pytest.mark.parametrize("null", STATISTICS)
def test_the_statistic_is_the_sum_of_the_evidence_over_all_beginnings(null):
    mean, low = null
    detector = EDetector(mean, between=1e9, low=low)
    for at, u in enumerate(UNIFORM[:60], 1):
        u16 = int(u * 16) / 16
        detector.update(float(u16 < 0.3) if low == 0.0 else 2 * u16 - 1)
        if at in STATISTICS[null]:
            assert detector.statistic == pytest.approx(STATISTICS[null][at], rel=1e-12)


# scipy 1.17.1: scipy.optimize.brentq on scipy.special.rel_entr.
@pytest.mark.parametrize(
    ("mean", "divergence", "upper"),
    [
        (0.1, 0.005, 0.13264094288107248),
        (0.0, 0.01, 0.009950166250831926),
        (0.5, 0.001, 0.5223495040921882),
        (0.03, 0.002, 0.04206466143512493),
    ],
)
def test_the_upper_mean_is_at_the_divergence(mean, divergence, upper):
    assert upper_mean(mean, divergence) == pytest.approx(upper, rel=1e-12)
    assert upper_mean(1.0, divergence) == 1.0


def errors(rate, count, seed):
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(count)]


@pytest.mark.parametrize(("rate", "between"), [(0.05, 300), (0.2, 300), (0.2, 3_000)])
def test_false_alarms_are_as_far_apart_as_the_knob_says(rate, between):
    detector, count = EDetector(rate, between), 300 * between if between < 1_000 else 100 * between
    alarms = sum(map(detector.update, errors(rate, count, seed=1)))
    assert 0 < alarms <= count / between


def test_a_detector_with_a_lower_mean_than_the_true_one_alarms_more_often():
    """The mutant of the test before: it would notice a mean that is too low."""
    detector = EDetector(0.16, between=300)
    assert 90_000 / sum(map(detector.update, errors(0.2, 90_000, seed=1))) < 300


def test_an_alarm_within_some_records_is_as_rare_as_they_are_few():
    early = 0
    for seed in range(400):
        detector = EDetector(0.3, between=2_000)
        early += any(map(detector.update, errors(0.3, 200, seed)))
    assert early <= 400 * 200 / 2_000


def test_differences_of_losses_raise_an_alarm_when_they_rise():
    rng, detector = random.Random(3), EDetector(0.0, between=10_000, low=-1.0)
    for _ in range(5_000):
        assert not detector.update(rng.choice((-1.0, 0.0, 0.0, 1.0)))
    at = next(at for at in range(2_000) if detector.update(rng.choice((-1.0, 0.0, 1.0, 1.0))))
    assert at < 300
    assert abs(detector.since - at) < 100
    assert detector.count == 5_001 + at
    assert detector.mean_since > 0.1
    assert detector.statistic >= detector.threshold == 10_000
    detector.update(0.0)
    assert detector.count == 1
    assert detector.statistic < 1.1


def test_nothing_overflows_at_the_ends_of_the_ranges():
    detector = EDetector(1e-12, between=1e9)
    for _ in range(100):
        detector.update(1.0)
        assert 0.0 < detector.statistic < 1e300
    for _ in range(100_000):
        detector.update(0.0)
    assert 0.5 <= detector.statistic < 1e9


def test_the_bounds_of_a_difference_hold_after_every_record_while_the_mean_changes():
    wrong = 0
    for seed in range(100):
        rng, difference, total, is_wrong = random.Random(seed), Difference(alpha=0.1), 0.0, False
        for at in range(1, 801):
            mean = 0.3 if at % 400 < 200 else -0.1
            difference.update(1.0 if rng.random() < (1.0 + mean) / 2.0 else -1.0)
            total += mean
            if at % 10 == 0:
                low, high = difference.bounds()
                is_wrong = is_wrong or not low <= total / at <= high
        wrong += is_wrong
    assert wrong <= 10


def told(a_rate, b_rate, margin, budget):
    rng, difference, verdict = random.Random(5), Difference(alpha=0.05), "continue"
    while verdict == "continue":
        difference.update(float(rng.random() < a_rate) - float(rng.random() < b_rate))
        verdict = difference.verdict(margin, budget)
    return verdict, difference.count


def test_each_verdict_is_given():
    assert Difference().verdict(0.01, 10) == "continue"
    assert Difference().bounds() == (-1.0, 1.0)
    assert told(0.1, 0.2, margin=0.02, budget=10_000)[0] == "a_better"
    assert told(0.2, 0.1, margin=0.02, budget=10_000)[0] == "b_better"
    assert told(0.1, 0.1, margin=0.05, budget=20_000)[0] == "equivalent"
    assert told(0.1, 0.1, margin=0.0, budget=2_000) == ("budget_exhausted", 2_000)


def test_a_verdict_is_what_the_bounds_say():
    rng, difference = random.Random(6), Difference(alpha=0.05)
    for at in range(3_000):
        difference.update(rng.choice((-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0 if at > 1_000 else 0.0)))
        low, high = difference.bounds()
        if low > -0.05 and high < 0.05:
            expected = "equivalent"
        else:
            expected = "a_better" if high < -0.05 else "b_better" if low > 0.05 else "continue"
        assert difference.verdict(0.05, 10_000) == expected


def blocks(values, length):
    """The sum of each run of so many values."""
    return [fsum(values[at : at + length]) for at in range(0, len(values), length)]


@pytest.mark.parametrize("rate", [0.03, 0.3])
def test_the_settled_mean_is_below_the_mean_as_rarely_as_alpha_says(rate):
    wrong = 0
    for seed in range(200):
        settled = SettledMean(block=50, alpha=0.1)
        for total in blocks(errors(rate, 3_000, seed), 50):
            settled.add(total)
        wrong += settled.upper < rate
    assert wrong <= 200 * 0.1


def test_the_settled_mean_follows_a_fall_and_no_rise():
    settled = SettledMean(block=100)
    for rate, seed in ((0.5, 1), (0.1, 2)):
        for total in blocks(errors(rate, 20_000, seed), 100):
            settled.add(total)
        assert rate < settled.upper < rate * 1.2
    kept = settled.upper, settled.mean, settled.width
    for total in blocks(errors(0.12, 50_000, 3), 100):
        assert not settled.add(total)
    assert (settled.upper, settled.mean, settled.width) == kept
    assert len(settled._halves) <= 12


@pytest.mark.parametrize("make", [lambda: EDetector(0.1, 500), Difference])
@pytest.mark.parametrize("count", [0, 1, 997])
def test_a_copy_from_bytes_goes_on_as_the_original_does(make, count):
    original = make()
    for error in errors(0.15, count, seed=9):
        original.update(error)
    copy = decode(encode(original))
    assert digest(copy) == digest(original)
    for error in errors(0.25, 1_000, seed=10):
        assert copy.update(error) == original.update(error)
    assert digest(copy) == digest(original)
    assert vars(copy) == vars(original)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EDetector(0.0, 100),
        lambda: EDetector(-1.0, 100, low=-1.0),
        lambda: EDetector(0.1, 0.5),
        lambda: EDetector(float("nan"), 10),
        lambda: Difference(1.0),
        lambda: SettledMean(0),
        lambda: SettledMean(alpha=2.0),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
