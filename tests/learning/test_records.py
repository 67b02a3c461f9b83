import json
import re

import msgspec
import pytest
from msgspec import UNSET

from headrace.learning.errors import RecordError
from headrace.learning.records import DEPTH_MAX, ROWS_MAX, Control, Reader, Record, Refused, is_deeper
from headrace.learning.task import Feature, Task

BINARY = Reader(Task(name="ads", kind="binary"))
MULTICLASS = Reader(Task(name="ads", kind="multiclass"))
REGRESSION = Reader(Task(name="ads", kind="regression"))


def read(value, reader=BINARY):
    """The only record of a message."""
    if isinstance(value, dict):
        value = json.dumps(value)
    (found,) = reader.read(value if isinstance(value, bytes) else value.encode())
    return found


def label_of(text, reader):
    found = read(f'{{"features": {{}}, "label": {text}}}', reader)
    assert isinstance(found, Record), found
    return found.label


def test_a_sample_has_features_and_a_label():
    found = read({"features": {"amount": 12.5, "country": "PT", "new": True, "count": 3}, "label": True})
    assert isinstance(found, Record)
    assert found.features == {"amount": 12.5, "country": "PT", "new": True, "count": 3}
    assert (found.id, found.label, found.time) == (UNSET, True, UNSET)


def test_a_sample_may_have_an_id_and_a_time():
    found = read({"id": "a1", "features": {}, "label": False, "time": 1767225600})
    assert (found.id, found.features, found.label, found.time) == ("a1", {}, False, 1767225600.0)


def test_a_question_has_features_and_an_id():
    found = read({"id": "a2", "features": {"amount": 90.0}, "time": 1767225600.5})
    assert (found.id, found.features, found.label) == ("a2", {"amount": 90.0}, UNSET)


def test_a_label_has_an_id_and_no_features():
    found = read({"id": "a2", "label": False})
    assert (found.id, found.features, found.label) == ("a2", UNSET, False)


@pytest.mark.parametrize("record", [{"features": {"x": 1}}, {"label": True}])
def test_a_question_or_a_label_without_an_id_is_incomplete(record):
    found = read(record)
    assert (found.code, found.reason) == (
        "incomplete",
        "a question or a label has no 'id'. Send the id that joins them.",
    )


def test_a_control_record_is_a_command_with_arguments():
    found = read({"control": "rollback", "to": "previous", "by": "ops@example", "id": "c7"})
    assert found == Control("rollback", {"to": "previous", "by": "ops@example", "id": "c7"})


def test_the_order_of_the_parts_and_the_space_between_them_do_not_matter():
    one = read('{"label":true,"time":5,"features":{"x":1},"id":"a"}')
    two = read(' {\t"id" : "a" ,\r "features" : { "x" : 1 } , "label" : true , "time" : 5.0 } \r')
    assert one == two


def test_a_whole_number_stays_one_and_a_boolean_is_no_number():
    features = read({"features": {"i": 1, "f": 1.0, "b": True, "s": "1"}, "label": True}).features
    assert [type(value) for value in features.values()] == [int, float, bool, str]


def test_the_order_of_features_is_the_senders():
    assert list(read('{"features": {"z": 1, "a": 2, "m": 3}, "label": true}').features) == ["z", "a", "m"]


def test_an_escaped_name_is_the_name_that_it_spells():
    assert read('{"\\u0066eatures": {"\\u0078": 1}, "label": true}').features == {"x": 1}


@pytest.mark.parametrize("text", ["a:b", "::::", '"label": true', "\\", "{[", "\x00", "é", "😀", "\u2028"])
def test_what_stands_within_a_string_is_neither_a_key_nor_a_bracket(text):
    found = read({"id": text, "features": {text: text}, "label": True})
    assert (found.id, found.features) == (text, {text: text})


@pytest.mark.parametrize("number", [0, -0.0, 5e-324, 1e19, 2.0**64, -(2.0**64), 2**63 - 1, -(2**63)])
def test_numbers_up_to_2_to_the_64th_are_read_to_the_bit(number):
    value = read({"features": {"x": number}, "label": True}).features["x"]
    assert (type(value), repr(value)) == (type(number), repr(number))
    assert repr(label_of(json.dumps(number), REGRESSION)) == repr(number)


def test_names_ids_and_strings_may_have_their_greatest_length():
    found = read({"id": "i" * 256, "features": {"é" * 256: "ü" * 4_096}, "label": True})
    assert found.features == {"é" * 256: "ü" * 4_096}
    assert label_of(json.dumps("c" * 4_096), MULTICLASS) == "c" * 4_096


@pytest.mark.parametrize("time", [0, 253_402_300_799])
def test_a_time_lies_between_1970_and_9999(time):
    assert read({"features": {}, "label": True, "time": time}).time == time


def test_a_binary_label_is_true_or_false():
    assert [label_of(text, BINARY) for text in ("true", "false")] == [True, False]
    assert read('{"id": "a", "label": 1}').reason == "label 1 is not one of true, false. Send true or false."


def test_a_label_of_many_classes_is_a_string_or_a_whole_number():
    assert [label_of(text, MULTICLASS) for text in ('"a"', '"1"', "1", "-7")] == ["a", "1", 1, -7]
    assert read('{"id": "a", "label": 1.5}', MULTICLASS).code == "label"


def test_a_declared_label_is_of_the_declared_type_too():
    reader = Reader(Task(name="ads", kind="multiclass", labels=["a", "3"]))
    assert [label_of(text, reader) for text in ('"a"', '"3"')] == ["a", "3"]
    for text in ("3", "3.0", "true", '"b"', "4"):
        found = read(f'{{"features": {{}}, "label": {text}}}', reader)
        assert found.code == "label"
        assert "is not one of a, 3. Send one of these" in found.reason


def test_a_regression_label_is_a_number():
    assert [label_of(text, REGRESSION) for text in ("2", "2.0", "-1e3")] == [2, 2.0, -1000.0]
    assert read('{"id": "a", "label": true}', REGRESSION).code == "label"


def test_a_message_packs_a_record_a_line_in_their_order():
    records = BINARY.read(b'{"id":"1","label":true}\n{"control":"tick"}\n{"features":{},"label":false}')
    assert [type(record).__name__ for record in records] == ["Record", "Control", "Record"]
    assert records[0].id == "1"


def test_a_last_line_may_end_with_a_line_feed():
    assert len(BINARY.read(b'{"id":"1","label":true}\n')) == 1
    assert len(BINARY.read(b'{"id":"1","label":true}\r\n{"id":"2","label":true}\r\n')) == 2


def test_what_cannot_be_read_stands_in_its_place_as_it_came():
    records = BINARY.read(b'{"id":"1","label":true}\n oops \n\n{"id":"2","label":true}\n\n')
    assert [isinstance(record, Refused) for record in records] == [False, True, True, False, True]
    assert [record.value for record in records if isinstance(record, Refused)] == [b" oops ", b"", b""]


@pytest.mark.parametrize("value", [None, b"", b" ", b"\n\n", b"\r\n"])
def test_an_empty_message_is_one_refusal(value):
    assert BINARY.read(value) == [Refused("empty", "the message is empty. Send one JSON object a line.", value or b"")]


def test_a_message_of_too_many_rows_is_refused_as_one():
    row = b'{"id":"1","label":true}\n'
    assert len(BINARY.read(row * ROWS_MAX)) == ROWS_MAX
    value = row * (ROWS_MAX + 1)
    assert BINARY.read(value) == [Refused("too_many_rows", "1001 rows in one message. Send up to 1000.", value)]


def test_a_reason_says_what_is_wrong_and_what_to_do():
    known = Reader(Task(name="ads", kind="binary", features={"price": Feature(max=100)}))
    for value, reader, code, reason in [
        (b"{", BINARY, "not_json", "the record is not JSON: it ends too early. Send one JSON object a line."),
        (b"[]", BINARY, "not_an_object", 'the record is not a JSON object. Send {"features": {...}, "label": ...}.'),
        (b'{"id":"a","id":"a"}', BINARY, "duplicate_key", "the key 'id' stands twice. Send each key once."),
        (b'{"id":"a"}', BINARY, "incomplete", "the record has neither 'features' nor 'label'. Send both, or one with an id."),
        (b'{"features":{"price":101},"label":true}', known, "record",
         "feature 'price' is 101; declared are values up to 100. Send a value in the range, or widen it in headrace.toml."),
    ]:  # fmt: skip
        assert reader.read(value) == [Refused(code, reason, value)]


def test_the_first_bad_feature_is_named():
    found = read('{"features": {"a": 1, "b": [2], "c": null}, "label": true}')
    assert found.code == "feature"
    assert found.reason.startswith("feature 'b' is [2]. ")


def test_a_reason_quotes_no_more_than_the_beginning_of_what_is_long():
    for value in [
        {"k" * 99_999: 1},
        {"features": {"k" * 99_999: 1}},
        {"features": {"x": "v" * 99_999}},
        {"id": "a", "label": "v" * 99_999},
    ]:
        assert len(read(value).reason) < 400


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("", 0),
        ("1", 0),
        ("[]", 1),
        ("[][][]", 1),
        ('[{"a": []}, [1]]', 3),
        ('["[[[[", {"{{{": "}}}"}]', 2),
        (r'["\"[[[[", []]', 2),
        (r'["\\", [[]]]', 3),
        ("[[[", 3),
        ("]]][", -2),
        ('["[[[[', 1),
        ('["[[[\\', 1),
    ],
)
def test_depth_counts_brackets_outside_of_strings(text, depth):
    padding = "[]" * 40  # more brackets than the limit, so that counting them does not settle it
    line = (padding + text).encode()
    for limit in range(1, 8):
        assert is_deeper(line, limit) == (max(depth, 1) > limit)


def test_a_control_record_is_read_down_to_the_greatest_depth():
    def control(depth):
        return f'{{"control": "install", "with": {"[" * depth}{"]" * depth}}}'

    assert isinstance(read(control(DEPTH_MAX - 1)), Control)
    assert read(control(DEPTH_MAX)).reason == "the record is nested more than 64 deep. Send flat features."


def test_a_record_that_was_encoded_by_msgspec_is_read_back():
    record = Record(id="a", features={"x": 0.1, "y": "z"}, label=True, time=1.5)
    assert msgspec.structs.asdict(read(msgspec.json.encode(record))) == msgspec.structs.asdict(record)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"id": 5, "features": {}}, "'id' is 5, a whole number, and not a string."),
        ({"id": "", "features": {}}, "'id' has 0 characters."),
        (
            {"features": {}, "label": True, "time": 1767225600000},
            "'time' is 1767225600000, which looks like milliseconds.",
        ),
        ({"features": {}, "label": True, "time": "now"}, "'time' is 'now', and not a number."),
        ({"features": {}, "lable": True}, "a record has no key 'lable'. Did you mean 'label'?"),
        ({"features": {"a": None}, "label": True}, "feature 'a' is null."),
        ({"features": {"a": 1}, "label": None}, "label null is not one of true, false."),
        ({"features": {}, "label": True, "source": 5}, "'source' is a whole number, and not a string."),
    ],
)
def test_the_reason_is_in_plain_words(line, reason):
    with pytest.raises(RecordError) as refused:
        Reader(Task(name="ads", kind="binary")).read_record(json.dumps(line).encode())
    assert reason in str(refused.value)
    assert not re.search("`|None|True|regex", str(refused.value))


def test_an_undeclared_feature_is_refused_with_the_nearest_name():
    reader = Reader(Task(name="ads", kind="binary", features={"seconds": Feature(optional=True)}))
    with pytest.raises(RecordError, match="feature 'secnds' is not declared. Did you mean 'seconds'?"):
        reader.read_record(b'{"features": {"secnds": 1}, "label": true}')


REGISTRY = b"\0\0\0\0\x07"
PRETTY = json.dumps({"features": {"x": 1}, "label": True}, indent=1).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            REGISTRY + b'{"features": {"x": 1}, "label": true}',
            "a schema registry, with schema id 7, in JSON. Publish plain",
        ),
        (
            REGISTRY + b"\x02\x06abc\n\x04",
            "a schema registry, with schema id 7, in Avro or Protobuf. Publish it as JSON",
        ),
        (b"\0\0\0\x0a\x0a\x02\x04", "with schema id 2570, in Avro"),
        (b"Obj\x01\x04\x14avro", "the message is an Avro file."),
        (b"\x1f\x8b\x08gzip", "compressed with gzip. Leave the compression to the producer"),
        (b'\xef\xbb\xbf{"label": true}', "begins with a byte order mark. Send UTF-8 without one."),
        ('{"label": true}'.encode("utf-16"), "is UTF-16. Send UTF-8."),
        (PRETTY, "one JSON object over several lines, and each line is read as a record. Write it on one line."),
        (PRETTY + b"\n", "one JSON object over several lines"),
        (b"[\n" + PRETTY + b"\n]", "one JSON list over several lines"),
    ],
)
def test_a_message_of_another_program_is_recognised_and_as_many_lines_are_refused_as_before(value, reason):
    found = BINARY.read(value)
    assert len(found) == len(value.removesuffix(b"\n").split(b"\n")), "the fold counts them"
    assert [one.value for one in found] == value.removesuffix(b"\n").split(b"\n")
    assert {one.code for one in found} == {"not_json"}
    assert all(reason in one.reason for one in found)


def test_good_lines_beside_a_bad_one_are_read_and_the_bad_one_has_its_own_reason():
    good, bad = b'{"features": {"x": 1}, "label": true}', b'{"features": {"x": 1}, "label"'
    first, second, third = BINARY.read(good + b"\n" + bad + b"\n" + good)
    assert isinstance(first, Record)
    assert isinstance(third, Record)
    assert second.reason.startswith("the record is not JSON")


def test_a_deep_message_of_several_lines_is_not_decoded_as_a_whole():
    deep = b"[" * 5_000 + b"\n" + b"]" * 5_000
    assert {one.code for one in BINARY.read(deep)} == {"not_json"}
