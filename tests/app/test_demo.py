"""The demo's second act, with fewer questions."""

import asyncio
import io
import uuid

import pytest
from rich.console import Console

import app.cli.later
from app.cli.later import LaterLabels


@pytest.fixture
def later(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(app.cli.later, "QUESTIONS", 150)
    act = LaterLabels(tmp_path, broker, f"later-{uuid.uuid4().hex[:8]}", Console(file=io.StringIO(), width=120))
    act.start()
    yield act
    act.stop()


def test_no_question_fails_while_a_worker_is_killed_and_the_accuracy_is_rivers(later):
    before = {worker.pid for worker in later.workers}
    assert asyncio.run(later.run()), later.console.file.getvalue()
    assert len(before & {worker.pid for worker in later.workers}) == 1, "one was killed and started again"
    assert later.asked > 150
    assert later.failed == 0
