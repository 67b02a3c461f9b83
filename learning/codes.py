"""Codes: every word by which a program can tell refusals, alerts and errors apart, with its sentence and its remedy.

A code is a literal type, so that a word that is in no table does not pass mypy, and each table has a row for each word, which is
checked when this module is imported. The documents print the tables; `docs/reference.md` is written by `make reference`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeVar, get_args

RefusalCode = Literal[
    "ahead",
    "control",
    "duplicate_id",
    "duplicate_key",
    "duplicate_label",
    "empty",
    "feature",
    "forgotten",
    "incomplete",
    "label",
    "late",
    "mapping",
    "not_an_object",
    "not_json",
    "orphan",
    "outlier",
    "record",
    "shape",
    "source",
    "too_large",
    "too_many_features",
    "too_many_labels",
    "too_many_names",
    "too_many_rows",
]
"""Why a record must not reach a model."""

AlertCode = Literal[
    "batch_full",
    "drift",
    "not_finite",
    "not_saved",
    "order_full",
    "recommended",
    "refolded",
    "shard_stopped",
    "state_large",
]
"""What an operator should know."""

ErrorCode = Literal[
    "answer",
    "broker",
    "changelog",
    "client",
    "definition",
    "detector",
    "error",
    "fold",
    "frame",
    "job",
    "log",
    "missing_partitions",
    "missing_topic",
    "model",
    "package",
    "reaction",
    "record",
    "refused",
    "replay",
    "settings",
    "snapshot",
    "store",
    "topic",
    "unexpected_answer",
    "unreachable",
    "version",
]
"""What has ended a command, stopped a shard or a task, or kept a client from its answer."""


class Meaning(NamedTuple):
    """What a code stands for: a sentence that says when it is met, and what to do then."""

    sentence: str
    remedy: str


REFUSALS: Mapping[RefusalCode, Meaning] = {
    "ahead": Meaning(
        'With `late = "quarantine"`: the record\'s time lies further ahead of log time than `lateness`.',
        "Send seconds since 1970, and look at the sender's clock.",
    ),
    "control": Meaning(
        "A control record names a command that is not known, or has not what the command takes, or asks for what the shard cannot do.",
        'See "Control records" in docs/reference.md; the quarantined record says more.',
    ),
    "duplicate_id": Meaning(
        "There is a question with this id already, waiting or answered, and it has not expired.",
        "Give each question an id of its own.",
    ),
    "duplicate_key": Meaning("An object in the record names a key twice.", "Send each key once."),
    "duplicate_label": Meaning("There is a label for this id already.", "Send one label for each question."),
    "empty": Meaning("The message is empty.", "Send one JSON object a line."),
    "feature": Meaning(
        "A feature has a value that no task takes (not finite, too large, too long, of no known type) or a name that none can have.",
        "Send finite numbers within 2^64 of zero (whole numbers within 2^63), strings of up to 4,096 characters or booleans, under "
        "names of 1 to 256 characters.",
    ),
    "forgotten": Meaning(
        "The label answers a question that was taken out by `unlearn`.", "Nothing: the question must not be learned."
    ),
    "incomplete": Meaning(
        "The record has neither features nor a label; or it has one of them, and no id that joins it to the other.",
        "Send both, or one with an id.",
    ),
    "label": Meaning(
        "The label is not of the task's domain, or not of the type of the task's first label.",
        "Send a label of the domain, or declare it in `labels`.",
    ),
    "late": Meaning(
        'With `late = "quarantine"`: the record came after the watermark had passed its time.',
        "Send records sooner, or raise `lateness`.",
    ),
    "mapping": Meaning(
        "An expression of a source finds in the message what the record cannot have.",
        "Correct the message or the mapping.",
    ),
    "not_an_object": Meaning(
        "The record is JSON, and not an object.", 'Send `{"features": {...}, "label": ...}` or one of the two parts.'
    ),
    "not_json": Meaning(
        "The record is not JSON, holds NaN or an infinity, or is nested more than 64 deep.",
        "Send one JSON object a line, with finite numbers and flat features.",
    ),
    "orphan": Meaning(
        "A label waited, and no question with its id came within `wait`.",
        "Send the question, with the same id and the same key.",
    ),
    "outlier": Meaning(
        "A number of the sample is too far from the usual ones of its feature; see `guard.outlier`.",
        "Correct the sender; or raise `guard.outlier.bound`.",
    ),
    "record": Meaning(
        "A feature does not fit its declaration, is not declared, or is missing.",
        "Correct the feature that the reason names, or its declaration.",
    ),
    "shape": Meaning(
        "A part of the record is not of its type, or the record has a part that none has.",
        'Send records as "Records" in docs/formats.md shows them.',
    ),
    "source": Meaning(
        "The record's `source` is a partition that is new, and 10,000 are known already.",
        "Use fewer topics and partitions as sources of one task.",
    ),
    "too_large": Meaning(
        "A question or a label is too large to wait for the other: it has more than 256 KiB as it is kept.",
        "Send fewer or shorter features.",
    ),
    "too_many_features": Meaning(
        "The record has more features than `feature_limit`, and the task declares none.",
        "Send fewer, declare them, or raise `feature_limit`.",
    ),
    "too_many_labels": Meaning(
        "The label is new, and the shard knows 1,000 already.", "Send fewer labels, or declare `labels`."
    ),
    "too_many_names": Meaning(
        "The record brings a new name of a feature (with a model of your own, or a new value of a string), and the shard knows `name_limit` already.",
        "Send no ids as features, declare `features` with `values`, or raise `name_limit`.",
    ),
    "too_many_rows": Meaning("A message has more than 1,000 rows.", "Send up to 1,000 in one message."),
}
"""Why a record is in `<task>.quarantine`: its header `code`."""

ALERTS: Mapping[AlertCode, Meaning] = {
    "batch_full": Meaning(
        "10,000 labels were collected before it was time to learn them, and are learned now.",
        "Lower `batch` or `every` in the task's `update`.",
    ),
    "drift": Meaning(
        "A detector or a guard has found a change, and a task's reactions say that somebody should know.",
        "See docs/how-to/drift.md; `detail` has the figures.",
    ),
    "not_finite": Meaning(
        "A model no longer predicts finite numbers. It is no longer scored, and requests get 503.",
        'See "The model runs away" in docs/how-to/models.md.',
    ),
    "not_saved": Meaning(
        "No version of the champion can be saved: its state holds what cannot be written.",
        "Correct the model; until then there is nothing new to go back to.",
    ),
    "order_full": Meaning(
        "10,000 records wait for their time, and the first of them waits no longer.", "Lower `lateness`."
    ),
    "recommended": Meaning(
        "A reaction is recommended, and waits for an operator.",
        "Look at `headrace drift TASK`, and carry it out with `headrace react TASK SIGNAL`.",
    ),
    "refolded": Meaning(
        "Snapshots did not fit the pending table, or none could be used: the log is folded again from an earlier position.",
        'Nothing, if it comes once. See "Lost snapshots" in docs/how-to/lost-data.md.',
    ),
    "shard_stopped": Meaning(
        "A shard folds no more. `detail` has the error, and its last model goes on answering.",
        'See "A stopped shard" in docs/how-to/stopped-shard.md.',
    ),
    "state_large": Meaning(
        "A state has passed 64 MiB, or has doubled since. One of more than 256 MiB is not saved.",
        'See "Memory" and "How large a state becomes" in docs/how-to/capacity.md.',
    ),
}
"""The `code` of an alert in `<task>.signals`."""

ERRORS: Mapping[ErrorCode, Meaning] = {
    "answer": Meaning("A worker refused a command's request, or does not answer.", "Do what the error says."),
    "broker": Meaning("The broker cannot be reached, started or used.", "Start it, or set `broker.url`."),
    "changelog": Meaning(
        "The topic of a table was deleted and made anew, or has lost its end.",
        "Nothing: the table is emptied and read again from its topic.",
    ),
    "client": Meaning("A client did not get the answer that it asked for.", "Do what the error says."),
    "definition": Meaning(
        "The log has a first definition other than the one by which a shard began to fold it.",
        "Nothing: the shard is opened anew, and folds the log by that definition.",
    ),
    "detector": Meaning("A detector cannot be made from its settings.", "Correct the task's `detectors`."),
    "error": Meaning("A command has not come to its end in time.", "Run `headrace doctor`."),
    "fold": Meaning(
        "The fold of a message raised an exception: most often a model does.",
        'See "A stopped shard" in docs/how-to/stopped-shard.md.',
    ),
    "frame": Meaning(
        "A data frame cannot become records: it is none, a column that is named is not there or stands twice, or the task is not known.",
        "Do what the error says.",
    ),
    "job": Meaning("A job ended without a model.", "The error says why; mend that, and ask for it again."),
    "log": Meaning(
        "The event log lacks what must be folded next, ends before the position, holds another message than the one folded last, or is "
        "compacted.",
        'See "The log is another one" in docs/how-to/stopped-shard.md.',
    ),
    "missing_partitions": Meaning(
        "A topic has fewer partitions than the task.",
        'Restart the workers. See "A topic was deleted, made anew or widened" in docs/how-to/stopped-shard.md.',
    ),
    "missing_topic": Meaning(
        "A topic was deleted while the task ran.",
        'Restart the workers. See "A topic was deleted, made anew or widened" in docs/how-to/stopped-shard.md.',
    ),
    "model": Meaning(
        "A model cannot be built, or answers with what is no answer of its task.",
        "Correct its name or parameters, or mend the model.",
    ),
    "package": Meaning(
        "The file of a version was refused: it is damaged, not signed with the configured key, or holds no model for the task.",
        'The error says why. See "Carry a version elsewhere" in docs/how-to/versions.md.',
    ),
    "reaction": Meaning("A reaction cannot be made from its settings.", "Correct the task's `reactions`."),
    "record": Meaning("A row must not be sent.", "Correct it, or use `--skip-invalid`."),
    "refused": Meaning(
        "A worker refused a client's request, and its answer names no code. The code is otherwise that of the problem document.",
        'See "Problems" in docs/reference.md.',
    ),
    "replay": Meaning(
        "A past state cannot be rebuilt, or a record cannot be found in the event log.",
        'Do what the error says. See "Time travel" in docs/how-to/time-travel.md.',
    ),
    "settings": Meaning(
        "`headrace.toml` cannot be used, or a model did not pass its trial at the worker's start. Exit status 2.",
        "Correct the key that is named; the error says why the model failed and what to do.",
    ),
    "snapshot": Meaning(
        "A snapshot was refused: it is damaged, not signed with the configured key, or made by another configuration or other versions.",
        'See "Change a task" in docs/how-to/change-a-task.md, "Upgrade of River, NumPy or Python" in docs/how-to/upgrade.md, and '
        '"The snapshot key" in docs/how-to/keys-and-tls.md.',
    ),
    "store": Meaning(
        "A local database failed: the disk is full, another process has it open, or it is damaged.",
        "Look at the disk. The database is opened again by itself.",
    ),
    "topic": Meaning(
        "A topic is there and cannot serve, cannot be made, or was made anew or widened while the task ran.",
        'Do what the error says. See "A topic was deleted, made anew or widened" in docs/how-to/stopped-shard.md.',
    ),
    "unexpected_answer": Meaning(
        "A server answered a client, and not as a worker does.", "Correct the address: it must be that of a worker."
    ),
    "unreachable": Meaning(
        "No worker answered a client: the address is wrong, the worker is down, its certificate is not trusted, or the time was up.",
        "Start the worker, or correct the address.",
    ),
    "version": Meaning(
        "The model of a version that the state names is not in `<task>.versions`, or is damaged.",
        "Restart the worker: it folds the log again, as far back as versions are lost.",
    ),
}
"""The code of an error that ends a command, for which `/readyz` names a shard, or that a client raises."""


Code = TypeVar("Code", bound=str)


def check_rows(codes: object, table: Mapping[Code, Meaning]) -> None:
    """Raise TypeError unless a table has a row for each word of a literal type, and no other, in alphabetical order.

    Examples
    --------
    >>> check_rows(Literal["dry", "wet"], {"wet": Meaning("It rains.", "Wait.")})
    Traceback (most recent call last):
    ...
    TypeError: a table of codes has rows for wet, and its type has the words dry, wet
    """
    words = get_args(codes)
    if list(table) != sorted(words):
        msg = f"a table of codes has rows for {', '.join(table)}, and its type has the words {', '.join(words)}"
        raise TypeError(msg)


check_rows(RefusalCode, REFUSALS)
check_rows(AlertCode, ALERTS)
check_rows(ErrorCode, ERRORS)
