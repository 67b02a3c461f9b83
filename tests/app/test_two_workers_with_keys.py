"""Two workers with API keys and a group secret: what one passes on is answered by the other as it would answer the caller."""

import hashlib
import uuid

import harness
import pytest

from app.caller import AGAIN_HEADER, HOPS, HOPS_MAX
from app.proof import PROOF
from tables.placing import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}
SECRETS = {"predict": "grain-of-the-phone", "feedback": "grain-of-the-desk"}
GROUP_SECRET = uuid.uuid4().hex


@pytest.fixture(scope="module")
def workers(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed")
    name = f"keyed-{uuid.uuid4().hex[:8]}"
    lines = [f"of-{role} {role} {hashlib.sha256(secret.encode()).hexdigest()}" for role, secret in SECRETS.items()]
    (folder / "keys").write_text("\n".join(lines))
    (folder / "secret").write_text(GROUP_SECRET)
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = 2\n'
    settings = f"keys_file = '{folder}/keys'\ngroup_secret_file = '{folder}/secret'\npeers = ['127.0.0.0/8']"
    started = [harness.Worker(folder / one, broker, toml, settings, instance=one) for one in ("a", "b")]
    with harness.sharing(started, name, owned):
        yield started


def owned(worker):
    status, told = worker.post(f"/v1/{worker.task}", b"", headers=bearer("predict"), method="GET")
    assert status == 200, told
    return [shard["partition"] for shard in told["shards"] if shard["state"] == "live"]


def bearer(role):
    return {"Authorization": f"Bearer {SECRETS[role]}"}


def ask(worker, key, query="", headers=None, role="predict", **parts):
    question = {"features": {"x": 1.0}, "key": key} | parts
    return worker.post(f"/v1/{worker.task}/predict{query}", question, headers=bearer(role) | (headers or {}))


def of_other(workers):
    """A worker, the other one, and a key of the other's shard."""
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
