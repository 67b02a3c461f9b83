"""The table of problems: the statuses and codes with which a request may be refused, their meanings and remedies."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from headrace.learning.codes import REFUSALS, Meaning, RefusalCode

OwnCode = Literal[
    "body",
    "broker",
    "defect",
    "duplicate_id",
    "encoding",
    "fresh",
    "head_too_large",
    "history",
    "joining",
    "key",
    "limit",
    "listeners",
    "method_not_allowed",
    "metric",
    "model",
    "no_group_secret",
    "no_key",
    "no_owner",
    "no_request",
    "no_stored_features",
    "not_an_object",
    "not_finite",
    "not_found",
    "not_json",
    "not_yet",
    "opening",
    "owner_address",
    "owner_unreachable",
    "partition",
    "process",
    "proof",
    "rate",
    "role",
    "shared_port",
    "since",
    "slow_body",
    "slow_head",
    "source",
    "stopped",
    "store",
    "too_large",
    "too_many",
    "unknown_arm",
    "unknown_entity",
    "unknown_id",
    "unknown_key",
    "unknown_task",
]
"""The codes of refused requests."""

ProblemCode = Literal[OwnCode, RefusalCode]
"""The codes of refused requests, and of refused records in a request."""

OF_RECORDS: tuple[RefusalCode, ...] = (
    "control",
    "duplicate_key",
    "feature",
    "incomplete",
    "label",
    "not_an_object",
    "not_json",
    "record",
    "shape",
    "too_many_features",
)
"""The codes of records that are refused while the sender waits. The fold refuses records with the other codes of `REFUSALS` later."""

ROWS: dict[tuple[int, ProblemCode], Meaning] = {
    (400, "body"): Meaning(
        "The body does not match its headers: it has another encoding, is damaged or cut short, or has bytes after its end.",
        "Send the body that the headers describe.",
    ),
    (400, "no_request"): Meaning(
        "The bytes are no HTTP request; `detail` says why. The connection is closed, as it is after 408 and 431.",
        "Send HTTP/1.1.",
    ),
    (400, "not_json"): Meaning("The body is not JSON, or holds NaN.", "Send JSON with finite numbers."),
    (401, "no_key"): Meaning("The request shows no key, or more than one.", "Send one key that the worker knows."),
    (401, "proof"): Meaning(
        "The proof of a forwarded question is not valid. `detail` says why.",
        "Callers send no proof. All workers need the same group secret, and clocks that agree within 10 s.",
    ),
    (401, "unknown_key"): Meaning("The worker does not know the key.", "Ask the operator for a key."),
    (403, "role"): Meaning(
        "The key does not have the role that the route requires. `detail` names the role.",
        "Use another key, or give this one the role.",
    ),
    (404, "no_stored_features"): Meaning(
        "The task declares no stored features.", "Declare them: `[tasks.NAME.stored]`."
    ),
    (404, "not_found"): Meaning("There is no such route.", 'See "Routes" in docs/reference.md.'),
    (404, "unknown_arm"): Meaning(
        "The task has, and had, no arm of this name.", "Use one of the arms that `remedy` names."
    ),
    (404, "unknown_entity"): Meaning(
        "The entity has no stored features, or has none any more.", "Store its features, or check the key."
    ),
    (404, "unknown_id"): Meaning(
        "No question of this id waits in the shard, and none was answered or ended there within the task's `wait`, which `detail` names. The "
        "ids of samples are not kept.",
        "Check the id and the key. `headrace explain TASK ID` reads the whole event log for it.",
    ),
    (404, "unknown_task"): Meaning("There is no task of this name.", "Use one of the tasks that `remedy` names."),
    (405, "method_not_allowed"): Meaning(
        "The route does not take the method.", "Use a method that the header `Allow` names."
    ),
    (408, "slow_body"): Meaning(
        "The whole body did not arrive within `worker.body_seconds`.", "Send it faster, or send less."
    ),
    (408, "slow_head"): Meaning("The request line and all headers did not arrive within 10 s.", "Send them faster."),
    (409, "duplicate_id"): Meaning(
        "A question with `log` has the id of a question that is in the log or is being appended. It is not logged again.",
        'See "Two questions under one id" in docs/how-to/ask.md.',
    ),
    (409, "key"): Meaning(
        "A question has a `min_position` and no key, and the task has several partitions.", "Send the key too."
    ),
    (409, "not_yet"): Meaning(
        "The model has not folded `min_position` within `wait_s`. `detail` says where it is.",
        "Ask again, with a longer `wait_s` or for an earlier position.",
    ),
    (413, "too_large"): Meaning(
        "The body has more than `worker.body_limit` bytes. Or the answers have more than 4 MiB: with many classes, each has many "
        "probabilities. Or a question with `log` has more than 255 KiB with its prediction, too many for the pending table.",
        "Send less at a time, ask fewer questions at a time, ask without `log`, or raise `worker.body_limit`.",
    ),
    (415, "encoding"): Meaning(
        "The body is compressed, but not with gzip or deflate.", "Compress it with one of these, or not at all."
    ),
    **{(422, code): REFUSALS[code] for code in OF_RECORDS},
    (421, "shared_port"): Meaning(
        "Of `/metrics`: several processes share the port (`headrace worker --processes`), and each has counts of its own.",
        "Ask each process at its own address, which `remedy` names.",
    ),
    (422, "fresh"): Meaning("`fresh` is neither true nor false.", "Send `?fresh=true`, or nothing."),
    (422, "key"): Meaning(
        "The key of a sample or of an entity is not a string of 1 to 256 characters.", "Send such a string."
    ),
    (422, "limit"): Meaning("`limit` is not a whole number from 1 to 1,000.", "Send `?limit=100`, or nothing."),
    (422, "partition"): Meaning(
        "`partition` is not a whole number from 0.", "Send the number of a partition, or nothing."
    ),
    (422, "metric"): Meaning("A task of this kind has no such metric.", "Use one of the metrics that `remedy` names."),
    (422, "since"): Meaning("`since` is no finite number.", "Send seconds since the epoch."),
    (422, "source"): Meaning(
        "The `source` of a record names a topic that the workers ingest themselves.",
        "Leave `source` out, or name the topic that the record is from.",
    ),
    (422, "too_many"): Meaning(
        "The request has more than 1,000 questions, labels or samples, or its list of labels or samples is empty.",
        "Send 1 to 1,000.",
    ),
    (429, "rate"): Meaning(
        "The key makes more requests than its rate allows.",
        "Ask again after the seconds of `Retry-After`, or send batches.",
    ),
    (431, "head_too_large"): Meaning(
        "The request line or a header has more than 8,190 bytes, or there are more than 128 headers.",
        "Send shorter or fewer ones.",
    ),
    (500, "defect"): Meaning("The request met a defect of the server.", "Look at the worker's log."),
    (503, "broker"): Meaning(
        "The broker did not take every record. Some may be in the log.",
        "Send them again. The fold recognises a second copy of a question or a label by its `id`, of a sample only by its `source`. 409 "
        "`duplicate_id` says that the question has arrived.",
    ),
    (503, "history"): Meaning(
        "The worker cannot read its copy of `<task>.history`: it has just started, or its disk fails.",
        "Ask again in a second; the worker's log has the error.",
    ),
    (503, "joining"): Meaning("Of `/readyz`: the worker has not joined its group yet.", "Ask again in a second."),
    (503, "model"): Meaning(
        "Your own model raised an error on these features, or gave an answer that is not valid for the task. `detail` names the model and the "
        "error.",
        "Correct the model. The worker logs the whole error, at most once a minute.",
    ),
    (503, "listeners"): Meaning(
        "As many browsers as may listen to a worker listen to it already.",
        "Close one, or ask another worker.",
    ),
    (503, "no_group_secret"): Meaning(
        "The worker has API keys but no group secret, so it does not forward the question to the owner.",
        "Set a group secret on all workers, or ask the owner itself.",
    ),
    (503, "no_owner"): Meaning(
        "Only the owner of the shard may answer, and the group is assigning the shard.",
        "Ask again in a second, or without `fresh`.",
    ),
    (503, "not_finite"): Meaning(
        "The model predicts NaN or infinity.", 'See "The model runs away" in docs/how-to/models.md.'
    ),
    (503, "opening"): Meaning(
        "The worker has no model of the shard yet, and has waited for one. Of `/readyz`: a shard has no model yet, or the worker still reads "
        "the stored features.",
        "Ask again; `Retry-After` says when.",
    ),
    (503, "owner_address"): Meaning(
        "The address of the owner is not `scheme://host:port` with this worker's scheme, or is not within `worker.peers`.",
        "Correct `worker.address` or `worker.peers`. The log has the address.",
    ),
    (503, "owner_unreachable"): Meaning(
        "Only the owner of the shard may answer, and its answer is missing or not valid: not signed, too large, or with an unexpected status. "
        '`detail` says which; "not signed" means that the owner has another group secret, or is no worker.',
        "Ask again, or without `fresh`; look at the logs of both workers.",
    ),
    (503, "process"): Meaning(
        "Of `/readyz`: another process that shares the port (`headrace worker --processes`) does not answer.",
        "Ask again in a second. The worker starts it again; its log says why it ended.",
    ),
    (503, "stopped"): Meaning(
        "The shard is stopped, and the worker has no model of it, or the question asks for a fresh answer. Of `/readyz`: every shard is stopped.",
        'See "A stopped shard" in docs/how-to/stopped-shard.md.',
    ),
    (503, "store"): Meaning(
        "The feature store does not answer a look-up of an entity. Questions are still answered, with defaults.",
        "Run `headrace doctor`.",
    ),
}

PROBLEMS: Mapping[tuple[int, ProblemCode], Meaning] = dict(sorted(ROWS.items()))
"""Every problem, ordered by status and code."""


def check_problems(codes: object, rows: Iterable[tuple[int, str]]) -> None:
    """Raise TypeError if a code of a literal type has no row.

    Examples
    --------
    >>> check_problems(Literal["dry", "wet"], [(400, "wet")])
    Traceback (most recent call last):
    ...
    TypeError: the table of problems has no row for dry
    """
    if missing := sorted(set(get_args(codes)) - {code for _, code in rows}):
        msg = f"the table of problems has no row for {', '.join(missing)}"
        raise TypeError(msg)


check_problems(OwnCode, PROBLEMS)


def codes_of(status: int) -> dict[ProblemCode, Meaning]:
    """Return the codes that a problem of this status may have, with their meanings.

    Examples
    --------
    >>> list(codes_of(409))
    ['duplicate_id', 'key', 'not_yet']
    """
    return {code: meaning for (row, code), meaning in PROBLEMS.items() if row == status}
