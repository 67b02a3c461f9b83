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
    "joining",
    "key",
    "method_not_allowed",
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
    "proof",
    "rate",
    "role",
    "slow_body",
    "slow_head",
    "source",
    "stopped",
    "store",
    "too_large",
    "too_many",
    "unknown_entity",
    "unknown_key",
    "unknown_task",
]
"""The codes of refused requests."""

ProblemCode = Literal[OwnCode, RefusalCode]
"""The codes of refused requests, and of refused records in a request."""

OF_RECORDS: tuple[RefusalCode, ...] = (
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
"""The codes of records that are refused while the sender waits. The fold finds the other codes of `REFUSALS` later."""

ROWS: dict[tuple[int, ProblemCode], Meaning] = {
    (400, "body"): Meaning(
        "The body is not what its headers say: not packed as named, damaged, cut short, or followed by something else.",
        "Send what the headers say.",
    ),
    (400, "no_request"): Meaning(
        "It is no HTTP request; `detail` says why. The connection is closed, as it is after 408 and 431.",
        "Send HTTP/1.1.",
    ),
    (400, "not_json"): Meaning("The body is not JSON, or holds NaN.", "Send JSON with finite numbers."),
    (401, "no_key"): Meaning("The request shows no key, or more than one.", "Send one key that the worker knows."),
    (401, "proof"): Meaning(
        "Another worker, or somebody in its place, passed on a question with a proof that does not hold. `detail` says why.",
        "A caller sends no proof. Workers need the same group secret, and clocks that agree within 10 s.",
    ),
    (401, "unknown_key"): Meaning("The worker does not know the key.", "Ask the operator for one."),
    (403, "role"): Meaning(
        "The key may not do this. `detail` names the role that it takes.", "Use another key, or give this one the role."
    ),
    (404, "no_stored_features"): Meaning(
        "The task declares no stored features.", "Declare them: `[tasks.NAME.stored]`."
    ),
    (404, "not_found"): Meaning("There is no such route.", 'See "Routes" in docs/reference.md.'),
    (404, "unknown_entity"): Meaning(
        "Nothing is stored of the entity, or nothing any more.", "Store its features, or look at the key."
    ),
    (404, "unknown_task"): Meaning(
        "There is no task of this name.", "Use one of those that `remedy` names, as it stands in `headrace.toml`."
    ),
    (405, "method_not_allowed"): Meaning(
        "The route does not know the method.", "Use one that the header `Allow` names."
    ),
    (408, "slow_body"): Meaning("The body was not whole after `worker.body_seconds`.", "Send it faster, or less."),
    (408, "slow_head"): Meaning("The request line and the headers were not whole after 10 s.", "Send them faster."),
    (409, "duplicate_id"): Meaning(
        "A question with `log` has the id of one that is in the log, or on its way there. It is not logged again.",
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
        "The body has more than `worker.body_limit` bytes; or the answers have more than 4 MiB, since with many classes each has many "
        "probabilities; or a question with `log` has more than 255 KiB with its prediction, and could not wait for its label.",
        "Send less at a time, ask fewer questions at a time, ask without `log`, or raise `worker.body_limit`.",
    ),
    (415, "encoding"): Meaning(
        "The body is packed with something other than gzip or deflate.", "Send one of these, or the body as it is."
    ),
    **{(422, code): REFUSALS[code] for code in OF_RECORDS},
    (422, "fresh"): Meaning("`fresh` is neither true nor false.", "Send `?fresh=true`, or nothing."),
    (422, "key"): Meaning(
        "The key of a sample or of an entity is not a string of 1 to 256 characters.", "Send such a string."
    ),
    (422, "source"): Meaning(
        "A record names as its source a topic that the workers bring in themselves.",
        "Leave it out, or name where this record is from.",
    ),
    (422, "too_many"): Meaning(
        "There are more than 1,000 in one request, or a list without samples.", "Send 1 to 1,000."
    ),
    (429, "rate"): Meaning(
        "There were too many requests of this key.", "Ask again when `Retry-After` says, or send batches."
    ),
    (431, "head_too_large"): Meaning(
        "The request line or a header has more than 8,190 bytes, or there are more than 128 headers.",
        "Send shorter or fewer ones.",
    ),
    (500, "defect"): Meaning("The request met a defect of the server.", "Look at the worker's log."),
    (503, "broker"): Meaning(
        "The broker did not take every record. Some may be in the log.",
        "Send them again. Questions and labels are told apart by their `id` (409 `duplicate_id` says that a question has arrived), samples "
        "only by a `source`.",
    ),
    (503, "joining"): Meaning("Of `/readyz`: the worker has not joined its group yet.", "Ask again in a second."),
    (503, "model"): Meaning(
        "A model of your own raised an error, or answered with what is no answer of the task, on these features. `detail` names the model and "
        "the error.",
        "Mend the model: the worker's log has the error whole, once a minute.",
    ),
    (503, "no_group_secret"): Meaning(
        "There are API keys and no group secret, so the question is not passed on to the owner.",
        "Set a group secret on all workers, or ask the owner itself.",
    ),
    (503, "no_owner"): Meaning(
        "Only the owner could answer, and the group is settling.", "Ask again in a second, or without `fresh`."
    ),
    (503, "not_finite"): Meaning(
        "The model predicts NaN or infinity.", 'See "The model runs away" in docs/how-to/models.md.'
    ),
    (503, "opening"): Meaning(
        "There is no model of the shard here yet, after waiting for one. Of `/readyz`: a shard has none, or stored features are read for the "
        "first time.",
        "Ask again; `Retry-After` says when.",
    ),
    (503, "owner_address"): Meaning(
        "The owner has an address that is not `scheme://host:port` with this worker's scheme, or not within `worker.peers`.",
        "Correct `worker.address` or `worker.peers`. The log has the address.",
    ),
    (503, "owner_unreachable"): Meaning(
        "Only the owner could answer, and it does not answer, or not as an owner does: without a signature, too much, or with another status. "
        '`detail` says which; "not signed" means another group secret, or no worker.',
        "Ask again, or without `fresh`; look at the logs of both workers.",
    ),
    (503, "stopped"): Meaning(
        "The shard is stopped, and there is no model, or a fresh answer was asked for. Of `/readyz`: every shard is stopped.",
        'See "A stopped shard" in docs/how-to/stopped-shard.md.',
    ),
    (503, "store"): Meaning(
        "The feature store does not answer someone who looks at it. Answers to questions go on, with defaults.",
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
