"""A task on workers with API keys and a group secret, and how it is asked."""

import hashlib
import uuid

from headrace.tables.kafka.partitioner import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}
SECRETS = {"predict": "grain-of-the-phone", "feedback": "grain-of-the-desk"}
GROUP_SECRET = uuid.uuid4().hex


def keyed(folder, name):
    """The task and the further settings of workers with keys and a group secret, whose files are written here."""
    lines = [f"of-{role} {role} {hashlib.sha256(secret.encode()).hexdigest()}" for role, secret in SECRETS.items()]
    (folder / "keys").write_text("\n".join(lines))
    (folder / "secret").write_text(GROUP_SECRET)
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = 2\n'
    return toml, f"keys_file = '{folder}/keys'\ngroup_secret_file = '{folder}/secret'\npeers = ['127.0.0.0/8']"


def owned(worker):
    status, told = worker.post(f"/v1/{worker.task}", b"", headers=bearer("predict"), method="GET")
    assert status == 200, told
    return [shard["partition"] for shard in told["shards"] if shard["state"] == "live"]


def bearer(role):
    return {"Authorization": f"Bearer {SECRETS[role]}"}


def ask(worker, key, query="", headers=None, role="predict", **parts):
    question = {"features": {"x": 1.0}, "key": key} | parts
    return worker.post(f"/v1/{worker.task}/predict{query}", question, headers=bearer(role) | (headers or {}))
