"""The mapping: what each part of a record comes from, what is left out and what is rejected, and that it is a pure function."""

import json
import re
from types import SimpleNamespace

import msgspec
import pytest
from harness import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.agents.expressions import compile_expression
from headrace.agents.mapping import LeftOut, Mapped, Mapping, Rejected
from headrace.app.settings import load
from headrace.learning.errors import RecordError
from headrace.learning.records import Reader
from headrace.learning.task import Feature, Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.partitioner import partition_of


def message(document, *, offset=7, key=None, timestamp=1_500):
    value = document if isinstance(document, bytes) or document is None else json.dumps(document).encode()
    return SimpleNamespace(offset=offset, timestamp=timestamp, key=key, value=value)


def mapping(*sources, partitions=4, **options):
    declared = [Source(topic="clicks", **source) for source in sources]
    return Mapping(Task(name="ads", kind="binary", partitions=partitions, sources=declared, **options), "clicks")


def sealed(how, document, partition=2, **options):
    """The records of a message, or the code of what rejects it."""
    found = []
    for outcome in how.map(partition, message(document, **options)):
        if isinstance(outcome, Mapped):
            try:
                found.append(json.loads(how.seal(outcome)))
            except RecordError as error:
                found.append(error.code)
        else:
            found.append(outcome.code if isinstance(outcome, Rejected) else None)
    return found


PLAIN = {"label": "clicked", "features": {"price": "offer.price", "country": "geo.country"}}
GOOD = {"user": "u1", "clicked": True, "offer": {"price": 3.5}, "geo": {"country": "PT"}}


def test_parts_without_an_expression_come_from_what_kafka_knows():
    (record,) = sealed(mapping(PLAIN), GOOD)
    assert record == {
        "id": "clicks/2/7",
        "source": "clicks/2/7",
        "time": 1.5,
        "label": True,
        "features": {"price": 3.5, "country": "PT"},
    }


def test_parts_with_an_expression_come_from_the_message():
    how = mapping(PLAIN | {"id": "n", "key": "user", "time": "at", "time_unit": "ms"})
    (found,) = how.map(2, message(GOOD | {"n": 12, "at": 1767225600123}))
    assert (found.key, found.partition) == (b"u1", partition_of("u1", 4))
    record = json.loads(how.seal(found))
    assert (record["id"], record["source"], record["time"]) == ("12", "clicks/2/7", 1767225600.123)


@pytest.mark.parametrize(
    ("unit", "found", "seconds"),
    [
        ("s", 5, 5.0),
        ("ms", 5500, 5.5),
        ("us", 5_500_000, 5.5),
        ("iso8601", "1970-01-01T00:00:05.5Z", 5.5),
        ("iso8601", "1970-01-01T01:00:05.5+01:00", 5.5),
        ("iso8601", "1970-01-01 00:00:05.5", 5.5),
    ],
)
def test_a_time_is_in_its_unit(unit, found, seconds):
    (record,) = sealed(mapping(PLAIN | {"time": "at", "time_unit": unit}), GOOD | {"at": found})
    assert record["time"] == seconds


def test_what_is_null_is_left_out_of_the_record():
    (record,) = sealed(mapping(PLAIN), {"geo": {"country": None}, "offer": {"price": 1}})
    assert "label" not in record
    assert record["features"] == {"price": 1}
    (record,) = sealed(mapping({"label": "y", "features": "x"}), {"x": {"a": 1, "b": None}, "y": False})
    assert (record["features"], record["label"]) == ({"a": 1}, False)


def test_a_key_is_placed_as_kafka_would_and_without_one_the_partition_decides():
    (with_key,) = mapping(PLAIN).map(2, message(GOOD, key=b"\xff\x00"))
    assert (with_key.partition, with_key.key, with_key.entity) == (partition_of(b"\xff\x00", 4), b"\xff\x00", None)
    (without,) = mapping(PLAIN).map(6, message(GOOD))
    assert (without.partition, without.key) == (2, None)


def test_rows_are_numbered_by_their_place_and_those_left_out_keep_theirs():
    how = mapping({"rows": "items", "when": "kind == 'click'", "label": "y", "features": "x"})
    items = [{"kind": kind, "x": {"a": number}, "y": True} for number, kind in enumerate(["click", "view", "click"])]
    found = list(how.map(0, message({"items": items})))
    assert [type(each) for each in found] == [Mapped, LeftOut, Mapped]
    assert [json.loads(how.seal(each))["source"] for each in (found[0], found[2])] == ["clicks/0/7/0", "clicks/0/7/2"]
    assert sealed(how, {"items": None}) == []


def test_a_tombstone_is_left_out_and_not_refused():
    (found,) = mapping(PLAIN, {"label": "y", "features": "x"}).map(2, message(None))
    assert type(found) is LeftOut


ROW = {"id": 7, "total": 9.5, "fraud": 1}
CHANGES = [("c", None, ROW), ("u", ROW, ROW), ("r", None, ROW), ("d", ROW, None)]
"""The messages of Debezium: a row is created, changed, read as it stood, deleted."""


@pytest.mark.parametrize("wrap", [lambda change: change, lambda change: {"schema": {}, "payload": change}])
@pytest.mark.parametrize("as_object", [True, False])
def test_changes_of_debezium_are_mapped_and_deletes_are_left_out(wrap, as_object):
    at = "after" if wrap({}) == {} else "payload.after"
    features = f"{at}.{{total: total}}" if as_object else {"total": f"{at}.total"}
    source = {"id": f"{at}.id", "label": f"{at}.fraud == `1`", "features": features}
    changes = [wrap({"op": op, "before": before, "after": after}) for op, before, after in CHANGES]
    with_when, without = mapping(source | {"when": at}), mapping(source)
    for change in changes[:3]:
        (record,) = sealed(with_when, change)
        assert (record["id"], record["features"], record["label"]) == ("7", {"total": 9.5}, True)
    assert sealed(with_when, changes[3]) == [None]
    (refused,) = without.map(2, message(changes[3]))
    assert refused.code == "mapping", "a sample without features would be learned, with the label false"
    assert "this is a delete of Debezium (op = 'd'" in refused.reason
    assert f'Leave such messages out: when = "{at}".' in refused.reason


def test_the_example_of_debezium_in_the_documents_is_mapped(tmp_path):
    section = (ROOT / "docs/how-to/own-topic.md").read_text().partition("## Changes of a database: Debezium\n")[2]
    blocks = dict(re.findall(r"```(json|toml)\n(.*?)```", section.partition("\n## ")[0], re.DOTALL))
    change, toml = blocks["json"], blocks["toml"]
    (tmp_path / "headrace.toml").write_text(toml)
    (task,) = load(str(tmp_path / "headrace.toml")).tasks.values()
    how = Mapping(task, "shop.public.payments")
    (found,) = how.map(0, message(json.loads(change)))
    record = json.loads(how.seal(found))
    assert (record["id"], found.key, record["time"]) == ("7", b"u1", 1767225600.123)
    assert (record["features"], record["label"]) == ({"total": 90.0}, False)
    deleted = json.loads(change)["payload"] | {"op": "d", "after": None}
    assert sealed(how, {"payload": deleted}) == [None]


def test_json_behind_the_prefix_of_a_schema_registry_is_mapped_and_avro_is_refused_with_its_schema_id():
    prefix = b"\0\0\0\1\x02"
    assert sealed(mapping(PLAIN), prefix + json.dumps(GOOD).encode()) == sealed(mapping(PLAIN), GOOD)
    for body in (b"\x02\x06abc", b"{\x02\x06abc", b""):
        (refused,) = mapping(PLAIN).map(2, message(prefix + body))
        assert refused.code == "not_json"
        assert refused.value == prefix + body, "the whole message is quarantined"
        assert not body or "a schema registry, with schema id 258" in refused.reason
    (deep,) = mapping(PLAIN).map(2, message(prefix + b"[" * 2_000 + b"]" * 2_000))
    assert "nested more than 64 deep" in deep.reason


def test_a_declared_feature_that_the_mapping_does_not_find_is_refused_as_the_sources_matter():
    how = mapping(PLAIN, features={"price": Feature(), "country": Feature(type="string")})
    (found,) = how.map(2, message({"clicked": True, "offer": {"cost": 3.5}, "geo": {"country": "PT"}}))
    with pytest.raises(RecordError) as refused:
        how.seal(found)
    assert refused.value.code == "record"
    assert str(refused.value) == (
        "feature 'price' is missing. The mapping finds nothing for it: was a field of the source renamed? "
        "Send it, or declare it optional."
    )


@pytest.mark.parametrize(("found", "fits"), [(1_767_225_600_123, "ms"), (1_767_225_600_123_456, "us")])
def test_a_time_in_another_unit_is_refused_with_the_unit_that_fits(found, fits):
    (refused,) = mapping(PLAIN | {"time": "at"}).map(2, message(GOOD | {"at": found}))
    assert refused.code == "mapping"
    assert (
        refused.reason
        == f"'time' of the mapping finds {found}, which looks like {fits} and not s. Set time_unit = \"{fits}\"."
    )


def test_a_delete_of_which_the_mapping_finds_features_is_mapped():
    how = mapping({"label": "op == 'd'", "features": {"total": "before.total"}})
    (record,) = sealed(how, {"op": "d", "before": ROW, "after": None})
    assert (record["features"], record["label"]) == ({"total": 9.5}, True)


def test_one_topic_can_give_questions_and_labels_of_the_same_messages():
    how = mapping(
        {"id": "n", "when": "type == 'shown'", "features": {"price": "price"}},
        {"id": "n", "when": "type == 'clicked'", "label": "`true`"},
    )
    shown, clicked = {"n": 1, "type": "shown", "price": 2}, {"n": 1, "type": "clicked"}
    assert sealed(how, shown) == [
        {"id": "1", "source": "clicks/2/7/0", "time": 1.5, "features": {"price": 2}},
        None,
    ]
    assert sealed(how, clicked, offset=8) == [
        None,
        {"id": "1", "source": "clicks/2/8/1", "time": 1.5, "label": True},
    ]


@pytest.mark.parametrize(
    ("source", "document", "code"),
    [
        (PLAIN, b"", "empty"),
        (PLAIN, b"{", "not_json"),
        (PLAIN, b'{"clicked": NaN}', "not_json"),
        (PLAIN, b"[" * 100_000, "not_json"),
        (PLAIN, b"\xff", "not_json"),
        (PLAIN, GOOD | {"clicked": "yes"}, "label"),
        (PLAIN, GOOD | {"offer": {"price": [1]}}, "feature"),
        (PLAIN | {"id": "n"}, GOOD | {"n": ""}, "mapping"),
        (PLAIN | {"id": "n"}, GOOD | {"n": 1.5}, "mapping"),
        (PLAIN | {"id": "n"}, GOOD | {"n": True}, "mapping"),
        (PLAIN | {"id": "n", "features": "offer"}, {"clicked": True}, "incomplete"),
        (PLAIN | {"key": "k"}, GOOD | {"k": "k" * 257}, "mapping"),
        (PLAIN | {"key": "k"}, GOOD | {"k": {}}, "mapping"),
        (PLAIN | {"time": "t"}, GOOD | {"t": "now"}, "mapping"),
        (PLAIN | {"time": "t"}, GOOD | {"t": True}, "mapping"),
        (PLAIN | {"time": "t"}, GOOD | {"t": -1}, "shape"),
        (PLAIN | {"time": "t"}, GOOD | {"t": 10**400}, "mapping"),
        (PLAIN | {"time": "t", "time_unit": "ms"}, GOOD | {"t": 10**400}, "mapping"),
        (PLAIN | {"time": "t", "time_unit": "iso8601"}, GOOD | {"t": 12}, "mapping"),
        (PLAIN | {"time": "t", "time_unit": "iso8601"}, GOOD | {"t": "yesterday"}, "mapping"),
        (PLAIN | {"rows": "offer"}, GOOD, "mapping"),
        ({"features": "offer.price"}, GOOD, "mapping"),
        ({"features": {"n": "length(clicked)"}}, GOOD, "mapping"),
        ({"features": {"n": 'to_number(`"1e999"`)'}}, GOOD, "feature"),
        ({"id": "n", "label": "clicked"}, {"clicked": True}, "incomplete"),
        ({"id": "n", "label": "clicked"}, {"n": 1}, "incomplete"),
    ],
)
def test_what_cannot_become_a_record_is_rejected_with_a_code(source, document, code):
    assert sealed(mapping(source), document) == [code]


def test_a_rejected_row_keeps_the_bytes_of_its_message():
    value = b'{"clicked": tru'
    (rejected,) = mapping(PLAIN).map(0, message(value))
    assert rejected.value == value
    assert rejected.reason


def test_declared_features_are_checked():
    how = mapping(PLAIN, features={"price": Feature(max=3), "country": Feature(type="string", optional=True)})
    assert sealed(how, GOOD) == ["record"]
    assert sealed(how, GOOD | {"offer": {"price": 3}})[0]["features"] == {"price": 3, "country": "PT"}


@pytest.mark.parametrize(
    ("expression", "refusal"),
    [
        ("a[", "Incomplete expression"),
        ("a b", "Unexpected token: b"),
        ("'x", "Unclosed ' delimiter"),
        ("lenght(a)", r"there is no function lenght\(\)"),
        ("a[?nope(b)].c", r"there is no function nope\(\)"),
        ("(" * 4000, "it is nested too deep"),
        ("&a", "'&' stands outside of a function's arguments"),
        ("{x: &a}", "'&' stands outside of a function's arguments"),
        ("", "cannot be empty"),
    ],
)
def test_a_wrong_expression_is_refused_when_it_is_compiled(expression, refusal):
    with pytest.raises(ValueError, match=refusal):
        compile_expression(expression)


DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=5),
    max_leaves=25,
)
EXPRESSIONS = st.sampled_from(
    ["a", "b.c", "a[0]", "@", "c[?d].e", "length(a)", "to_string(@)", "a == b", "keys(@)", "{x: a, y: b}", "a || b"]
)


@settings(deadline=None)
@given(
    source=st.fixed_dictionaries(
        {"features": EXPRESSIONS | st.dictionaries(st.sampled_from("xyz"), EXPRESSIONS, min_size=1)},
        optional=dict.fromkeys(("rows", "when", "id", "key", "time", "label"), EXPRESSIONS),
    ),
    document=DOCUMENTS,
    partition=st.integers(0, 9),
    key=st.none() | st.binary(min_size=1, max_size=4),
)
def test_any_message_maps_to_the_same_records_again_and_these_are_such_that_the_fold_takes(
    source, document, partition, key
):
    value = json.dumps(document).encode()
    outcomes = []
    for _ in range(2):  # of a mapping of its own, as another worker has it
        how = mapping(source)
        found = list(how.map(partition, message(value, key=key)))
        assert [outcome.row for outcome in found] == list(range(len(found)))
        lines = []
        for outcome in found:
            if isinstance(outcome, Mapped):
                try:
                    line = how.seal(outcome)
                except RecordError as error:
                    lines.append(str(error))
                else:
                    lines.append((outcome.partition, outcome.key, line))
                    record = Reader(how.task).read(line)[0]
                    assert record.source.startswith(f"clicks/{partition}/7")
                    assert 0 <= outcome.partition < 4
            else:
                lines.append(outcome)
        outcomes.append(lines)
    assert outcomes[0] == outcomes[1]


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_a_plain_path_finds_what_jmespath_finds(document):
    import jmespath

    decoded = msgspec.json.decode(json.dumps(document))
    for path in ("a", "a.b", "b.c.d"):
        assert compile_expression(path)(decoded) == jmespath.search(path, decoded)
