"""A question: what it holds, how it is asked, and how it is read from bytes."""

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headrace.app.caller import Caller
from headrace.app.contract import TaskFeatures
from headrace.app.serving.refused import RequestRefused
from headrace.learning.records import Id, refuse_duplicate_keys
from headrace.learning.records.schema import find_bad_feature

BATCH_MAX = 1_000
"""Questions in one request, or records."""


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked: features, and optionally an id to answer with and the entity's key, which decides the shard.

    `log` appends the question, with what was answered, to the event log, where its label may join it: `durable` (or true) answers when the
    broker has it, `async` at once. `min_position` is a position that the answering model must have folded, and `wait_s` how many seconds may go by until it has.
    """

    features: TaskFeatures
    id: Id | UnsetType = UNSET
    key: Id | UnsetType = UNSET
    log: bool | Literal["durable", "async"] = False
    min_position: Annotated[float, Meta(ge=0, le=2**52)] | UnsetType = UNSET
    wait_s: Annotated[float, Meta(ge=0, le=10)] | UnsetType = UNSET


class Asked(NamedTuple):
    """How a question was asked: whether only the owner may answer, and by whom."""

    fresh: bool = False
    caller: Caller = Caller()


decode_one = msgspec.json.Decoder(Question).decode
decode_many = msgspec.json.Decoder(list[Question]).decode


def read_question(body: bytes) -> Question:
    """Read the question that a body holds.

    Raises
    ------
    RequestRefused
        The body holds none; the text says what is wrong with it.
    RecordError
        An object in it has a key twice.
    """
    try:
        question = decode_one(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise explain(body, error) from None
    if body.count(b":") != _count_keys(question):
        refuse_duplicate_keys(body)
    return question


def read_questions(body: bytes) -> list[Question]:
    """Read the list of questions that a body holds; raises as `read_question` does, also for more than `BATCH_MAX`."""
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
    """Return what places a question that is logged: its key, or its id."""
    key = question.id if question.key is UNSET else question.key
    assert key is not UNSET
    return key


def explain(body: bytes, error: Exception, *, many: bool = False) -> RequestRefused:
    """Explain why a body cannot be read, naming the feature where it is one."""
    try:
        loose = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        what = f"the body is not JSON: {str(problem).rstrip('.')}."
        return RequestRefused("malformed", "not_json", what, "Send JSON with finite numbers.")
    for question in loose if isinstance(loose, list) else [loose]:
        if isinstance(question, dict) and (bad := find_bad_feature(question.get("features", {}))):
            return RequestRefused("invalid", "feature", bad.what, bad.remedy)
    shape = '{"features": {...}, "id"?, "key"?, "log"?, "min_position"?, "wait_s"?}'
    remedy = f"Send a list, each like {shape}." if many else f"Send {shape}."
    return RequestRefused("invalid", "shape", f"the body is not of the right shape: {error}.", remedy)


def _count_keys(question: Question) -> int:
    """Count the keys that a body has for this question, if it has none of them twice."""
    optional = (question.id, question.key, question.min_position, question.wait_s)
    return 1 + len(question.features) + sum(part is not UNSET for part in optional) + (question.log is not False)
