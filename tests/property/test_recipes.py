"""What a job makes by a recipe is what the shard's own fold would have made of the same records."""

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from random_logs import fold, rows, tasks
from thorough import some

from headrace.learning.effects import Acted
from headrace.learning.encoding import encode
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.promises import Promises
from headrace.learning.recipe import Range, Recipe, Without
from headrace.learning.records.message import Message
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task


@st.composite
def logs(draw):
    """A log without control records."""
    task, found, offset, clock = draw(tasks()), [], 0, 10_000
    for _ in range(draw(st.integers(1, 25))):
        offset += draw(st.sampled_from([1, 1, 1, 3]))
        clock = max(0, clock + draw(st.sampled_from([0, 1, 500, 2000, 2000, 20_000, -3000])))
        lines = draw(st.lists(rows(task.kind, clock), min_size=1, max_size=4))
        found.append(Message(offset, b"\n".join(lines), clock))
    return task, found


@given(logs())
@settings(max_examples=some(150, of=8), deadline=None)
def test_a_recipe_that_leaves_nothing_out_makes_the_model_of_the_fold(log):
    task, messages = log
    job = Message(messages[-1].offset + 1, b'{"control": "job", "job": "j", "recipe": {}}', messages[-1].timestamp)
    install = Message(job.offset + 1, b'{"control": "install", "id": "j", "recipe": {}}', job.timestamp + 5_000)
    made = RecipeFold(task, 0, Recipe())
    made.follow(lambda: [*messages, job, install])
    artefacts = InMemory({("j", made.champion.digest): encode(made.champion.model)})
    outcome = {"of": "j", "artefact": made.champion.digest, "updates": made.champion.updates}
    promises = Promises(task)
    promises.note(Message(10**6, json.dumps({"control": "outcome"} | outcome).encode()))
    learner = Learner(task, 0, supplies=Supplies(artefacts, promises, ()))
    fold(learner, messages)
    _, acted = [one for one in fold(learner, [job, install]) if isinstance(one, Acted)]
    assert acted.after == made.champion.digest
    assert learner.champion.updates == made.champion.updates
    before = learner.state.versions.saved[acted.did.rpartition(" ")[2]]
    assert before.digest == made.champion.digest, acted.did


def test_unlearning_gives_the_model_that_never_saw_the_poison():
    rng = random.Random(5)
    for share in (0.01, 0.05, 0.2):
        task, clean, dirty = Task(name="ads", kind="binary"), [], []
        poisoned = []
        for offset in range(600):
            x = rng.gauss(0, 1)
            is_poison = rng.random() < share
            row = {"id": str(offset), "features": {"x": x}, "label": (x > 0) != is_poison}
            dirty.append(Message(offset, json.dumps(row).encode(), offset))
            if is_poison:
                poisoned.append(offset)
            else:
                clean.append(dirty[-1])
        wanted = Learner(task, 0)
        fold(wanted, clean)
        for without in (
            Without(ids=list(map(str, poisoned))),
            Without(positions=[Range(at, at + 1) for at in poisoned]),
        ):
            made = RecipeFold(task, 0, Recipe(why="unlearn", without=without))
            made.follow(lambda dirty=dirty: dirty)
            assert made.champion.digest == wanted.champion.digest
            assert made.champion.updates == 600 - len(poisoned)
