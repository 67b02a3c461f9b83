"""Reads questions from bytes, and holds their parts."""

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headrace.app.caller import Caller
from headrace.app.contract import TaskFeatures
from headrace.app.serving.refused import RequestRefused
from headrace.learning.plain import plain
from headrace.learning.records import Id, refuse_duplicate_keys
from headrace.learning.records.schema import find_bad_feature

BATCH_MAX = 1_000
"""The largest number of questions, or of records, in one request."""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """A question: features, optionally an id for the answer, and the entity's key, which decides the shard.

    `log` appends the question with its answer to the event log, where its label can join it: `durable` (or true) answers after the broker
    has acknowledged the question, `async` answers at once. The answering model must have folded the log up to `min_position`, and the
    request waits up to `wait_s` seconds for such a model.
    """

    features: TaskFeatures
    id: Id | UnsetType = UNSET
    key: Id | UnsetType = UNSET
    log: bool | Literal["durable", "async"] = False
    min_position: Annotated[float, Meta(ge=0, le=2**52)] | UnsetType = UNSET
    wait_s: Annotated[float, Meta(ge=0, le=10)] | UnsetType = UNSET


class Asked(NamedTuple):
    """Says how a question was asked: whether only the owner of the shard may answer, and who has asked."""

    fresh: bool = False
    caller: Caller = Caller()


decode_one = msgspec.json.Decoder(Question).decode
decode_many = msgspec.json.Decoder(list[Question]).decode


def read_question(body: bytes) -> Question:
    """Read a question from the body of a request.

    Raises
    ------
    RequestRefused
        The body is not a question; the text says what is wrong.
    RecordError
        An object in the body has a key twice.
    """
    try:
        question = decode_one(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise explain(body, error) from None
    if body.count(b":") != _count_keys(question):
        refuse_duplicate_keys(body)
    return question


def read_questions(body: bytes) -> list[Question]:
    """Read a list of questions from the body of a request. Raises as `read_question` does, and RequestRefused for more than `BATCH_MAX`."""
    try:
        questions = decode_many(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise explain(body, error, many=True) from None
    if len(questions) > BATCH_MAX:
        raise RequestRefused(
            "invalid", "too_many", f"{len(questions)} questions in one batch.", f"Send up to {BATCH_MAX}."
        )
    if body.count(b":") != sum(map(_count_keys, questions)):
        refuse_duplicate_keys(body)
    return questions


def shard_key(question: Question) -> str:
    """Return the key that decides the shard of a logged question: its key, or else its id."""
    key = question.id if question.key is UNSET else question.key
    assert key is not UNSET
    return key


def explain(body: bytes, error: Exception, *, many: bool = False) -> RequestRefused:
    """Make the refusal of a body that cannot be read; it names the feature, if a feature is wrong."""
    try:
        loose = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        what = f"the body is not JSON: {plain(problem)}."
        return RequestRefused("malformed", "not_json", what, "Send JSON with finite numbers.")
    for question in loose if isinstance(loose, list) else [loose]:
        if isinstance(question, dict) and (bad := find_bad_feature(question.get("features", {}))):
            return RequestRefused("invalid", "feature", bad.what, bad.remedy)
    shape = '{"features": {...}, "id"?, "key"?, "log"?, "min_position"?, "wait_s"?}'
    remedy = f"Send a list, each like {shape}." if many else f"Send {shape}."
    return RequestRefused("invalid", "shape", f"the body is not of the right shape: {plain(error)}.", remedy)


def _count_keys(question: Question) -> int:
    """Count the keys that a body without duplicate keys has for this question."""
    count = 1 + len(question.features) + (question.id is not UNSET) + (question.key is not UNSET)
    return count + (question.min_position is not UNSET) + (question.wait_s is not UNSET) + (question.log is not False)
