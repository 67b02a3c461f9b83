"""The demo's second act, with fewer questions."""

import asyncio
import io
import uuid

import pytest
from rich.console import Console

import headrace.app.cli.later
from headrace.app.broker import free_port
from headrace.app.cli.later import LaterLabels


@pytest.fixture
def later(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(headrace.app.cli.later, "QUESTIONS", 150)
    act = LaterLabels(tmp_path, broker, f"later-{uuid.uuid4().hex[:8]}", Console(file=io.StringIO(), width=120))
    act.start()
    yield act
    act.stop()


def test_a_broker_that_cannot_be_reached_is_named_at_once(headrace):
    called = headrace("demo", "--broker", f"127.0.0.1:{free_port()}")
    assert called.status == 1
    assert called.out == ""
    assert "cannot be reached" in called.err
    assert "leave --broker out" in called.err


def test_no_question_fails_while_a_worker_is_killed_and_the_accuracy_is_rivers(later):
    before = {worker.pid for worker in later.workers}
    assert asyncio.run(later.run()), later.console.file.getvalue()
    assert len(before & {worker.pid for worker in later.workers}) == 1, "one was killed and started again"
    assert later.asked > 150
    assert later.failed == 0
