"""Every check of a model fails a model that it is for, whatever the others find, and lets the others through."""

import contextlib
import json
import subprocess
import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest
import users_models
from harness import HEADRACE
from river import linear_model, stats

import headrace.app.model_check
import headrace.app.trial
from headrace import Task
from headrace.app.model_check import check_model
from headrace.app.other_process import Passed
from headrace.learning.errors import HeadraceError, ModelError
from headrace.learning.fold.checks import CHECKS, examine, try_model
from headrace.learning.task import Feature


@pytest.fixture
def alone(monkeypatch):
    """Start no other process, and take the outcomes of this process in its place."""

    @contextlib.contextmanager
    def here(tasks, hash_seed):
        yield SimpleNamespace(outcomes=lambda: [Passed(try_model(task)) for task in tasks])

    monkeypatch.setattr(headrace.app.model_check, "other_process", here)


NAMES = [*CHECKS, "processes"]
NUMBER = Feature()


def statuses(report):
    assert [finding.check for finding in report.findings] == NAMES
    for finding in report.findings:
        assert finding.what
        assert finding.remedy or finding.status != "fault"
    return {finding.check: finding.status for finding in report.findings if finding.status != "ok"}


@pytest.mark.parametrize(
    ("make", "wanted", "what"),
    [
        (
            users_models.with_lambda,
            {"state": "fault", "rows": "note"}
            | dict.fromkeys(("chance", "round trip", "reading", "processes"), "note"),
            "it holds users_models.with_lambda.<locals>.<lambda>",
        ),
        (users_models.Maybe, {"answers": "fault", "processes": "note"}, "the class 'maybe'"),
        (users_models.NotANumber, {"finite": "fault", "processes": "note"}, "not finite"),
        (
            users_models.Dicing,
            {"chance": "fault", "round trip": "note", "processes": "note"},
            "is another one each time",
        ),
        (users_models.Hidden, {"round trip": "fault", "processes": "note"}, "goes on otherwise"),
        (users_models.Notes, {"reading": "note"}, None),
        (users_models.scaled, {"rows": "note", "reading": "note"}, None),
    ],
)
def test_each_check_finds_its_fault_and_no_other(alone, monkeypatch, make, wanted, what):
    monkeypatch.setattr(users_models.Hidden, "seen", {})
    report = check_model(make, kind="binary")
    assert statuses(report) == wanted
    assert [fault.check for fault in report.faults] == [name for name, status in wanted.items() if status == "fault"]
    for fault in report.faults:
        assert what in fault.what
        assert f"users_models:{make.__name__}" in fault.what


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (users_models.Process, "comes to another state in another process"),
        (users_models.ByHashOrder, "comes to another state with another PYTHONHASHSEED"),
    ],
)
def test_what_only_other_processes_can_tell_is_found(make, what):
    report = check_model(make)
    assert statuses(report) == {"processes": "fault"}
    assert what in report.faults[0].what


def test_a_module_that_other_processes_cannot_import_is_a_fault(monkeypatch):
    module = ModuleType("only_here")
    module.make = linear_model.LogisticRegression
    monkeypatch.setitem(sys.modules, "only_here", module)
    (fault,) = check_model("only_here:make", Task(name="t", kind="binary")).faults
    assert fault.what.startswith("another process refuses it: the model 'only_here:make' cannot be imported")


def test_a_model_with_several_faults_is_told_all_of_them(alone):
    outcomes = statuses(check_model(users_models.Several))
    assert outcomes == {
        "finite": "fault", "chance": "fault", "reading": "note", "round trip": "note", "processes": "note",
    }  # fmt: skip


def test_a_model_that_raises_at_a_row_is_checked_with_the_rows_before(monkeypatch):
    """All that can still be told is told: it draws without a seed too."""
    monkeypatch.setattr(users_models, "make", lambda: RaisingAndDicing(0), raising=False)
    _, findings = examine(Task(name="t", kind="binary", model="users_models:make"))
    faults = {finding.check: finding.what for finding in findings if finding.status == "fault"}
    assert set(faults) == {"rows", "chance"}
    assert "raised ValueError: no" in faults["rows"]


class RaisingAndDicing(users_models.Raising):
    def learn_one(self, x, y):
        super().learn_one(x, y)
        users_models.Dicing.learn_one(self, x, y)


RaisingAndDicing.__module__ = "users_models"
users_models.RaisingAndDicing = RaisingAndDicing


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_model_of_the_catalogue_passes(alone, kind):
    assert statuses(check_model("naive_bayes", kind=kind)) == {}


def test_the_kind_is_found_out_where_it_is_left_out(alone):
    report = check_model(linear_model.LinearRegression)
    assert (report.kind, report.model) == ("regression", "river.linear_model.lin_reg:LinearRegression")


def test_a_task_says_what_the_model_must_take_and_parameters_are_its_own(alone):
    task = Task(name="ads", kind="regression", features={"a": NUMBER})
    report = check_model({"use": "linear", "learning_rate": 0.02}, task)
    assert (report.kind, report.model, statuses(report)) == ("regression", "linear", {})
    assert statuses(check_model(users_models.scaled, Task(name="t", kind="binary", features={"a": NUMBER}))) == {
        "reading": "note"
    }


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("logstic", "there is no model 'logstic'"),
        ("users_models:nothing", "has no function 'nothing'"),
        (lambda: None, "cannot be imported by another process"),
        (users_models.Half(), "a Half is a model, and not what makes one"),
        (stats.Mean, "which is not for binary tasks"),
    ],
)
def test_what_is_no_model_is_refused_with_a_remedy(alone, model, what):
    with pytest.raises(ModelError, match=what) as refusal:
        check_model(model)
    assert refusal.value.remedy


def test_a_model_that_does_not_return_is_at_fault(alone, monkeypatch):
    monkeypatch.setattr(headrace.app.trial, "TRIAL_SECONDS", 0.2)
    monkeypatch.setattr(headrace.app.trial, "INTERRUPT_AGAIN_SECONDS", 0.05)
    try:
        (what, *_) = [fault.what for fault in check_model(users_models.Endless, kind="binary").faults]
    except HeadraceError as error:  # on a busy machine the time may be over between two calls, or in a detector
        what = error.what
    assert "must end within 0.2 s" in what


def test_it_can_be_called_in_another_thread_than_the_main_one(alone):
    reports = []
    thread = threading.Thread(target=lambda: reports.append(check_model("logistic")))
    thread.start()
    thread.join()
    assert not reports[0].faults


# headrace doctor --model


def test_doctor_checks_a_model_without_any_settings(headrace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADRACE_CONFIG", raising=False)
    called = headrace("doctor", "--model", "logistic")
    assert called.status == 0
    assert [line.split()[0] for line in called.out.splitlines()[1:]] == ["ok"] * len(NAMES)


def test_doctor_finds_a_module_in_this_folder_and_ends_with_status_1_if_its_model_is_at_fault(tmp_path):
    (tmp_path / "shop.py").write_text(
        "import random\nfrom river import linear_model\n"
        "def make():\n    return linear_model.LinearRegression(intercept_init=random.random())\n"
    )
    command = [*HEADRACE, "doctor", "--model", "shop:make", "--kind", "regression", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    by_check = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert list(by_check) == NAMES
    assert by_check["chance"]["status"] == "fault"
    assert "Seed its randomness" in by_check["chance"]["remedy"]


def test_doctor_says_what_is_no_model_or_no_question(headrace):
    called = headrace("doctor", "--model", "logistic", "--kind", "regression")
    assert (called.status, "is not for regression tasks" in called.err) == (1, True)
    assert headrace("doctor", "--kind", "regression").status == 2
