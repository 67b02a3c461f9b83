"""The trial of models at a worker's start, a user's own in two processes: a model that fails is refused by its name."""

import os
import signal
import sys
from pathlib import Path

import pytest

import headrace.app.other_process
import headrace.app.trial
from headrace.app.settings import parse
from headrace.app.trial import try_models
from headrace.learning.errors import SettingsError


def settings(**models):
    tasks = {name: {"kind": "binary", "model": model} for name, model in models.items()}
    return parse({"tasks": tasks}, Path("headrace.toml"))


def refusal(**models):
    with pytest.raises(SettingsError) as raised:
        try_models(settings(**models))
    assert raised.value.remedy
    return raised.value.what


def test_models_that_may_be_used_are_told_by_their_tasks_names():
    verdicts = try_models(settings(ads="logistic", shop="users_models:scaled", talk="users_models:chatty"))
    assert {name: verdict.pure for name, verdict in verdicts.items()} == {"ads": True, "shop": False, "talk": True}


def test_without_models_of_ones_own_there_is_no_second_process(monkeypatch):
    monkeypatch.setattr(headrace.app.other_process, "HEADRACE", [sys.executable, "-c"])
    monkeypatch.setattr(headrace.app.other_process, "TRY_COMMAND", "raise SystemExit(9)")
    assert try_models(settings(ads="logistic"))["ads"].pure


@pytest.mark.parametrize("name", ["unseeded", "Process"])
def test_a_model_that_another_process_makes_otherwise_is_refused(name):
    what = refusal(ads="logistic", shop=f"users_models:{name}")
    assert f"'tasks.shop.model' cannot be used: the model 'users_models:{name}' comes to another state" in what


def test_a_model_that_fails_is_refused_with_its_reason():
    assert (
        "'tasks.shop.model' cannot be used: the model 'users_models:with_lambda' cannot be saved and loaded"
        in refusal(shop="users_models:with_lambda")
    )
    assert "answered with the class 'maybe'" in refusal(ads="users_models:Maybe")


def test_a_model_that_ends_its_process_is_refused(monkeypatch):
    monkeypatch.setenv("USERS_MODELS_PARENT", str(os.getpid()))
    assert "users_models:Leaves ended with status 7" in refusal(shop="users_models:Leaves")


def test_a_second_process_that_comes_to_no_end_is_ended(monkeypatch):
    monkeypatch.setattr(headrace.app.other_process, "HEADRACE", [sys.executable, "-c"])
    monkeypatch.setattr(headrace.app.other_process, "TRY_COMMAND", "import time; time.sleep(600)")
    monkeypatch.setattr(headrace.app.other_process, "PATIENCE_SECONDS", 0.1)
    assert "came to no end within" in refusal(shop="users_models:scaled")


@pytest.mark.parametrize("name", ["Endless", "Stubborn"])
def test_a_model_that_does_not_return_is_refused(monkeypatch, name):
    monkeypatch.setattr(headrace.app.trial, "TRIAL_SECONDS", 0.2)
    monkeypatch.setattr(headrace.app.trial, "INTERRUPT_AGAIN_SECONDS", 0.05)
    what = refusal(shop=f"users_models:{name}")
    assert "the trial of a model must end within 0.2 s" in what
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_warning_and_a_copy_are_told_in_the_log(monkeypatch):
    logged = []
    monkeypatch.setattr(
        headrace.app.trial.log, "warning", lambda event, **more: logged.append((event, more)), raising=False
    )
    monkeypatch.setattr(
        headrace.app.trial.log, "info", lambda event, **more: logged.append((event, more)), raising=False
    )
    try_models(settings(shop="users_models:scaled"))
    assert [event for event, _ in logged] == [
        "a record can stop the shard",
        "the model changes when it is asked: answers come from a copy",
    ]
    assert logged[0][1]["model"] == "users_models:scaled"


def test_ctrl_c_means_again_what_it_meant():
    before = signal.getsignal(signal.SIGINT)
    try_models(settings(ads="logistic"))
    assert signal.getsignal(signal.SIGINT) is before
