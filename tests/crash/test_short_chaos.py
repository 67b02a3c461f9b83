"""The chaos run, short: five kills, or three, for a linear model with static membership, a tree without that loses its data, one that is controlled meanwhile,
one whose world changes, one that folds many rows at once, and one of anomalies."""

import argparse

import chaos
import pytest
from thorough import only_thorough, some


@pytest.mark.parametrize(
    ("model", "static", "wipe", "signals", "event_time", "controls", "drifts", "arms", "anomalies", "packed"),
    [
        pytest.param(
            "logistic", True, False, "SIGKILL,SIGTERM", True, False, False, False, False, False, marks=only_thorough
        ),
        pytest.param(
            "hoeffding_tree", False, True, "SIGKILL", False, False, False, False, False, False, marks=only_thorough
        ),
        pytest.param(
            "logistic", True, False, "SIGKILL,SIGTERM", False, True, False, True, False, False, marks=only_thorough
        ),
        ("logistic", True, False, "SIGKILL,SIGTERM", False, False, True, False, False, False),
        ("logistic", True, False, "SIGKILL,SIGTERM", False, False, False, False, False, True),
        ("half_space_trees", True, False, "SIGKILL,SIGTERM", False, True, False, False, True, False),
    ],
)
def test_every_shard_equals_the_uninterrupted_fold_after_kills(
    broker, tmp_path, model, static, wipe, signals, event_time, controls, drifts, arms, anomalies, packed
):
    options = argparse.Namespace(
        rows=some(16_000, of=2),
        kills=some(5, of=2),
        workers=2,
        shards=4,
        rate=100.0 if packed else 1000.0,
        signals=signals,
        model=model,
        seed=11,
        static=static,
        wipe=wipe,
        event_time=event_time,
        controls=controls,
        drifts=drifts,
        arms=arms,
        anomalies=anomalies,
        packed=packed,
    )
    assert chaos.run(options, broker, tmp_path)
