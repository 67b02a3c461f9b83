"""Two workers with API keys and a group secret: a worker answers a forwarded question as it would answer the caller."""

import uuid

import harness
import pytest
from keyed import GROUP_SECRET, KEYS, SECRETS, ask, keyed, owned

from headrace.app.caller import AGAIN_HEADER, HOPS, HOPS_MAX
from headrace.app.proof import PROOF


@pytest.fixture(scope="module")
def workers(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed")
    name = f"keyed-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(folder, name)
    started = [harness.Worker(folder / one, broker, toml, settings, instance=one) for one in ("a", "b")]
    with harness.sharing(started, name, owned):
        yield started


def of_other(workers):
    """Return a worker, the other worker, and a key of the other worker's shard."""
    worker, other = workers
    (theirs,) = owned(other)
    return worker, other, KEYS[theirs]


def test_each_worker_answers_from_the_other_for_a_caller_that_may_ask(workers):
    for worker in workers:
        for key in KEYS.values():
            status, answer = ask(worker, key, "?fresh=true")
            assert (status, answer.get("arm")) == (200, "champion"), answer
            status, problem = ask(worker, key, "?fresh=true", role="feedback")
            assert (status, problem["code"]) == (403, "role")


def test_a_refusal_of_the_owner_comes_back_to_the_caller(workers):
    worker, _, key = of_other(workers)
    assert ask(worker, key, "?fresh=true", id="twice", log=True)[0] == 200
    status, problem = ask(worker, key, "?fresh=true", id="twice", log=True)
    assert (status, problem["code"]) == (409, "duplicate_id")


def test_a_caller_cannot_say_what_only_workers_say(workers):
    worker, other, key = of_other(workers)
    headers = {HOPS: str(HOPS_MAX), AGAIN_HEADER: "true"}
    assert ask(worker, key, "?fresh=true", headers)[0] == 200, "it is passed on: the hops are not believed"
    assert ask(other, key, headers=headers, id="again", log=True)[0] == 200
    status, problem = ask(other, key, headers=headers, id="again", log=True)
    assert (status, problem["code"]) == (409, "duplicate_id")
    status, problem = ask(other, key, headers={PROOF: "guess"})
    assert (status, problem["code"]) == (401, "proof")


def test_no_key_and_no_secret_is_in_a_log(workers):
    for worker in workers:
        log = worker.log()
        assert not [secret for secret in (*SECRETS.values(), GROUP_SECRET) if secret in log]
        assert "questions are not passed on" not in log
