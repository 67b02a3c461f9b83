"""Whatever stands in the log, a bad record is quarantined whole and leaves the model as it was.

In the table `LABEL` stands for a label that is right for the task's kind, so that only what is said to be wrong is wrong.
"""

import json
import random
from functools import cache
from types import SimpleNamespace

import pytest
from plainness import foreign
from thorough import IS_THOROUGH, only_thorough, some

from headrace.learning.effects import Quarantined
from headrace.learning.fold.learner import Learner
from headrace.learning.models import names_for
from headrace.learning.records import ROWS_MAX, Reader, Record, Refused
from headrace.learning.snapshot import digest
from headrace.learning.task import Feature, Task

KINDS = {"binary": b"true", "multiclass": b'"a"', "regression": b"2.5"}
SAMPLE = '{"id": "a1", "features": {"x": 1.5, "y": "PT"}, "label": LABEL, "time": 1767225600.0}'
LONG = 2_000_000
DECLARED = Task(
    name="declared",
    kind="multiclass",
    labels=["a", "b", "3"],
    features={
        "x": Feature(min=0, max=10),
        "n": Feature(type="int", min=-5, max=5),
        "s": Feature(type="string", values=["PT", "ES"]),
        "b": Feature(type="bool"),
        "o": Feature(optional=True),
    },
)


def with_features(features):
    return f'{{"features": {features}, "label": LABEL}}'


def with_value(value):
    return with_features(f'{{"x": {value}}}')


def with_label(label):
    return f'{{"features": {{"x": 1}}, "label": {label}}}'


def with_part(part, value):
    return f'{{"{part}": {value}, "features": {{"x": 1}}, "label": LABEL}}'


def nested(depth, opening="[", closing="]", core=""):
    return opening * depth + core + closing * depth


# The table reads better when its lines are full.
# fmt: off
def not_json():
    texts = ["{", "}", "nothing", "undefined", "True", "None", "x=1", "1,2,3", "--", "<record/>", "---", "{}{}", "[}", "{]"]
    texts += ["{1:2}", '{"a"}', '{"a":}', "{:1}", "{,}", "[,]", '{"a":1,}', '{"a" 1}', "{'a':1}", "[1 2]", "/**/", "#", ";"]
    texts += [
        SAMPLE + "garbage", SAMPLE + " " + SAMPLE, SAMPLE + ",", "," + SAMPLE, SAMPLE.replace('"', "'"),
        SAMPLE.replace(",", "", 1), SAMPLE.replace(":", "", 1), SAMPLE.replace(":", "=", 1), SAMPLE.replace("}", "", 1),
        SAMPLE.replace('"id"', "id"), SAMPLE + " // a comment", "/* a comment */" + SAMPLE, SAMPLE.replace(" ", "\x0b", 1),
        SAMPLE.replace(" ", "\x0c", 1), SAMPLE.replace(" ", "\u00a0", 1), SAMPLE.replace(" ", "\u2028", 1),
        "\ufeff" + SAMPLE, SAMPLE + "\ufeff", SAMPLE + "\x00", "\x00" + SAMPLE, "\x00", "\x00" * 64, "\ufeff", "x" * LONG,
        '"' * LONG, '"' + '\\"' * (LONG // 2), '{"features": {"x": "' + "x" * LONG
    ]
    literals = ["NaN", "nan", "Infinity", "-Infinity", "inf", "+1", ".5", "1.", "1e", "0x10", "01", "1_000", "--1", "1e999"]
    literals += ["-1e999", "9" * 5_000, "-" + "9" * 5_000, "9" * LONG, "TRUE", "yes", "(1)", "1 2"]
    texts += [with_value(literal) for literal in literals]
    texts += [with_label(literal) for literal in literals]
    texts += [with_part("time", literal) for literal in literals[:6]]
    texts += [f'{{"control": "tick", "at": {literal}}}' for literal in literals[:6]]
    strings = [
        "\\x41", "\\u12", "\\u12G4", "\\", "\\'", "\t", "\r", "\x00", "\x1f", "\\ud800", "\\udc00", "\\udfffx",
        "\\ud800\\ud800"
    ]
    strings += ["\\ud83d\\u0041", "\\udc00\\ud800", "\\uD83D\\n"]
    for string in strings:
        texts += [with_value(f'"{string}"'), with_features(f'{{"{string}": 1}}'), with_label(f'"{string}"')]
        texts += [with_part("id", f'"{string}"'), f'{{"control": "{string}"}}']
    yield from (text.encode() for text in texts)


def not_utf8():
    for wrong in [b"\xff", b"\x80", b"\xc0\xaf", b"\xc3", b"\xe9t\xe9", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82"]:
        for text in [with_value('"?"'), with_features('{"?": 1}'), with_part("id", '"?"'), '{"control": "?"}', '{"?": 1}', "?"]:
            yield text.encode().replace(b"?", wrong)
    for encoding in ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]:
        yield SAMPLE.encode(encoding)
    yield from [
        b"\x1f\x8b\x08\x00" + bytes(range(11, 60)), b"\x80\x04\x95\x00.", b"\x00\x00\x00\x00\x01\x02x",
        bytes(range(128, 256))
    ]


def damaged():
    """A good record that was cut, or of which one byte was overwritten."""
    whole = SAMPLE.encode()
    label = whole.index(b"LABEL")
    for at in range(1, len(whole)):
        if not label < at < label + len(b"LABEL"):
            yield whole[:at]
            yield whole[:at] + b"\x00" + whole[at + (len(b"LABEL") if at == label else 1) :]
            yield whole[:at] + b"\xff" + whole[at + (len(b"LABEL") if at == label else 1) :]


def too_deep():
    for depth in [65, 100, 500, 980, 1_000, 5_000, 100_000, LONG // 5]:
        for value in [nested(depth), nested(depth, '{"a":', "}", "1")]:
            yield from [value, with_value(value), with_features(value), with_label(value), with_part("id", value)]
            yield from [with_part("time", value), f'{{"control": "rewind", "to": {value}}}', f'{{"more": {value}}}']
        yield from ["[" * depth, '{"a":' * depth, '{"features":' + "[" * depth, '{"label": "LABEL", "x":' + "[" * depth]


def not_an_object():
    yield from [
        "0", "-1", "1.5", "1e308", "true", "false", "null", '""', '"text"', "[]", "[1]", "[null]", "[[]]", "[{}]",
        f"[{SAMPLE}]"
    ]
    yield from [json.dumps('{"features": {"x": 1}, "label": 1}'), " 1", "1 ", nested(10), nested(64)]


def incomplete():
    yield from ["{}", " {} ", '{"id": "a"}', '{"time": 1}', '{"id": "a", "time": 1}']
    yield from ['{"features": {"x": 1}}', '{"features": {}}', '{"features": {"x": 1}, "time": 1}', '{"label": LABEL}']
    yield from ['{"label": LABEL, "time": 1}']


def wrong_shape():
    for extra in [
        "weight", "lable", "Label", "FEATURES", "label ", " id", "", "y", "__class__", "$schema", "features\\u0000",
        "\\uff4cabel"
    ]:
        yield with_part(extra, "1")
    yield with_part("k" * LONG, "1")
    yield from ['{"x": 1}', '{"x": 1, "label": LABEL}', '{"features.x": 1, "label": LABEL}', f'{{"value": {SAMPLE}}}']
    for wrong in ["null", "true", "1", "1.5", "[]", "{}", '["a"]', '""', f'"{"a" * 257}"', f'"{"a" * LONG}"', nested(60)]:
        yield with_part("id", wrong)
    for wrong in [
        "null", "true", '"now"', '"1767225600"', "[]", "{}", "[1]", "-1", "-0.001", "253402300800", "1e20", "1e308",
        "-1e308"
    ]:
        yield with_part("time", wrong)
    yield with_part("time", "9" * 400)
    for wrong in ["null", "1", "true", "1.5", "[]", "{}", '["rollback"]', '{"name": "rollback"}', nested(60)]:
        yield f'{{"control": {wrong}}}'
        yield with_part("control", wrong)
    yield from ['{"Control": "pause"}', '{"control ": "pause"}', '{"controls": ["pause"]}']


def unknown_control():
    for command in [
        "", " ", "ROLLBACK", " rollback", "rollback ", "no-such", "drop table", "\\u0000", "😀", "__init__", "c" * LONG
    ]:
        yield f'{{"control": "{command}"}}'
    yield from [
        '{"control": "no-such", "features": {"x": 1}, "label": LABEL}',
        '{"control": "no-such", "features": null, "label": []}'
    ]
    yield from [f'{{"control": "no-such", "to": {nested(60)}}}', f'{{"control": "no-such", "to": {"9" * 400}}}']


def wrong_features():
    for features in ["null", "true", "1", "1.5", '"x=1"', "[]", "[1]", '[["x", 1]]', '[{"x": 1}]', nested(60)]:
        yield with_features(features)
    values = ["null", "[]", "{}", "[1]", '{"y": 1}', '{"a": {"b": {}}}', nested(60), "1e308", "-1e308", "1e20", "-1.9e19"]
    values += [
        str(2**63), str(-(2**63) - 1), str(2**64), str(10**400), f'"{"a" * 4_097}"', f'"{"é" * 4_097}"', f'"{"a" * LONG}"'
    ]
    for value in values:
        yield with_value(value)
        yield with_features(f'{{"a": 1, "b": "two", "c": {value}, "d": true}}')
    for name in ["", "n" * 257, "é" * 257, "😀" * 257, "n" * LONG]:
        yield with_features(f'{{"{name}": 1}}')
        yield with_features(f'{{"a": 1, "{name}": 1}}')


def wrong_label(kind):
    labels = [
        "null", "[]", "{}", "[true]", '["a"]', '{"a": 1}', "[[]]", nested(60), str(2**63), str(-(2**63) - 1), str(10**400),
        "1e20", "1e308"
    ]
    labels += {
        "binary": ["0", "1", "-1", "2", "1.0", "0.5", '"true"', '"True"', '"yes"', '"1"', '""', f'"{"a" * LONG}"'],
        "multiclass": ["true", "false", "1.5", "1.0", "-0.5", "1e3", f'"{"a" * 4_097}"', f'"{"a" * LONG}"'],
        "regression": ["true", "false", '"1"', '"2.5"', '""', '"NaN"', '"Infinity"', "-1e20", "-1e308", f'"{"a" * LONG}"'],
    }[kind]
    for label in labels:
        yield with_label(label)
        yield f'{{"id": "a1", "label": {label}}}'


def twice():
    parts = {"id": '"a"', "features": '{"x": 1}', "label": "LABEL", "time": "1"}
    for part, value in parts.items():
        rest = "".join(f', "{other}": {held}' for other, held in parts.items() if other != part)
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in part)
        shouted = "".join(f"\\u{ord(letter):04X}" for letter in part)
        for spelling in sorted({part, escaped[:6] + part[1:], part[:-1] + escaped[-6:], escaped, shouted}):
            yield f'{{"{part}": {value}, "{spelling}": {value}{rest}}}'
            yield f'{{"{spelling}": {value}{rest}, "{part}": {value}}}'
    names = [
        ("x", "x"), ("x", "\\u0078"), ("x:y", "x:y"), ("x:y", "x\\u003ay"), ("x:y", "x\\u003Ay"), ("é", "\\u00e9"),
        ("a/b", "a\\/b")
    ]
    names += [
        ("😀", "\\ud83d\\ude00"), ("\\n", "\\u000a"), ('\\"', "\\u0022"), ("\\\\", "\\u005c"), ("", ""),
        ("n" * 256, "n" * 256)
    ]
    for name, again in names:
        yield with_features(f'{{"{name}": 1, "{again}": 2}}')
        yield with_features(f'{{"a": "b:c", "{again}": 1, "b": true, "{name}": 1}}')
        yield f'{{"control": "no-such", "{name}": 1, "{again}": 2}}'
        yield f'{{"control": "no-such", "to": [{{"deep": {{"{name}": 1, "{again}": 2}}}}]}}'
        yield f'{{"{name}": 1, "{again}": 2}}'
    yield from [with_features('{"x": 1, "x": 2, "x": 3}'), with_value('{"a": 1, "a": 1}'), with_label('{"a": 1, "a": 1}')]
    yield from ['{"control": "no-such", "control": "no-such"}', '{"control": "no-such", "\\u0063ontrol": "pause"}']
    yield from ['{"control": "pause", "contro\\u006c": null}', with_features('{"x": null, "x": 1}')]


def empty():
    yield from [
        None, b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\x0b", b"\x0c", b" \n \n ", b"\n" * 3, b"\n" * 2_000, b" " * LONG,
        b"\n" * LONG
    ]


def too_many_rows():
    row = SAMPLE.encode()
    yield from [b"\n".join([row] * (ROWS_MAX + 1)), b"\n".join([row] * ROWS_MAX) + b"\n\n", b"{\n" * (ROWS_MAX + 1)]
    yield from [b"\n" * ROWS_MAX + row, row + b"\n" * (ROWS_MAX + 1), row + b"\n" * LONG, b"x" + b"\n" * LONG]
# fmt: on


def groups_of(kind):
    """Pairs of a code and the messages that are refused by it."""
    groups = [("not_json", not_json()), ("not_json", not_utf8()), ("not_json", damaged()), ("not_json", too_deep()),
              ("not_an_object", not_an_object()), ("incomplete", incomplete()), ("shape", wrong_shape()),
              ("control", unknown_control()), ("feature", wrong_features()), ("label", wrong_label(kind)),
              ("duplicate_key", twice()), ("empty", empty()), ("too_many_rows", too_many_rows())]  # fmt: skip
    for code, values in groups:
        raws = (value.encode() if isinstance(value, str) else value for value in values)
        yield code, [raw and raw.replace(b"LABEL", KINDS[kind]) for raw in raws]


@cache
def hostile(kind):
    """Message to the code of its refusal."""
    table = {}
    for code, raws in groups_of(kind):
        for raw in raws:
            assert table.setdefault(raw, code) == code, f"{raw[:80]} stands under two codes"
    return table


def name_of(value):
    return repr(value if value is None or len(value) <= 90 else value[:60] + b"... %d bytes" % len(value))[1:]


def each_record():
    """Each hostile record with each kind of task. In `make test` those that are the same for all kinds, but for a good label, come with one."""
    for turn, kind in enumerate(KINDS):
        records = {}
        for code, raws in groups_of(kind):
            every = 1 if IS_THOROUGH or code == "label" else len(KINDS)
            records |= dict.fromkeys(raws[turn % every :: every], code)
        for value, code in records.items():
            yield pytest.param(kind, value, code, id=f"{kind}-{code}-{name_of(value)}")


def undeclared():
    """Records that a task refuses because of what it declares."""
    good = {"x": 1.5, "n": 1, "s": "PT", "b": True}
    for name, values in {
        "x": [-0.1, 10.1, -1, 11, True, "1.5", 2.0**64],
        "n": [1.5, 1.0, -6, 6, True, "1"],
        "s": ["", "pt", "FR", " PT", 1, True, "PT\x00", "x" * 4096],
        "b": [0, 1, 1.0, "true", ""],
        "o": ["1", False],
        "z": [1, "1", True],
        "X": [1.5],
        "n" * 256: [1],
    }.items():
        for value in values:
            yield {"features": good | {name: value}, "label": "a"}
    for name in good:
        yield {"features": {other: value for other, value in good.items() if other != name}, "label": "a"}
        yield {"features": {other: value for other, value in good.items() if other != name} | {"o": 1}, "label": "a"}
    yield {"features": {}, "label": "a"}
    for label in ["c", "A", " a", "", 3, 4, -3, True, 3.0, 3.5, None, "a\x00", ["a"]]:
        yield {"features": good, "label": label}
        yield {"id": "q1", "label": label}


def message(offset, value, timestamp=0):
    return SimpleNamespace(offset=offset, timestamp=timestamp, key=b"\xff\x00key", value=value)


def good_values(kind, count, seed=0):
    dice = random.Random(seed)
    for _ in range(count):
        x, y = dice.gauss(0, 1), dice.gauss(0, 1)
        label = {"binary": x > y, "multiclass": "abc"[int(x > 0) + int(y > 0)], "regression": 3 * x - y}[kind]
        yield json.dumps({"features": {"x": x, "y": y}, "label": label}).encode()


def told(learner, value):
    """All effects of the next message."""
    return [effect for row in learner.fold(message(learner.state.position, value)) for effect in row]


def warm(task):
    """A learner that has learned something, so that there is something to spoil."""
    learner = Learner(task, partition=0)
    for value in good_values(task.kind, 40):
        if task is not DECLARED:
            assert told(learner, value) == []
            continue
        x = json.loads(value)["features"]["x"]
        record = {"features": {"x": abs(x), "n": 1, "s": "PT", "b": x > 0}, "label": "a" if x > 0 else "3"}
        assert told(learner, json.dumps(record).encode()) == []
    assert learner.state.updates == 40
    return learner


def check(learner, value, code=None):
    """Fold one hostile message; AssertionError unless it is quarantined whole and changes nothing but the counts."""
    state = learner.state
    position, quarantined = state.position, state.quarantined
    before = digest(state.arms), digest(state.probes), state.updates
    effects = told(learner, value)
    assert [type(effect) for effect in effects] == [Quarantined]
    refused = effects[0]
    assert refused.value == (value or b"")
    assert refused.code
    assert refused.reason
    assert code is None or refused.code == code, refused.reason[:200]
    assert foreign(refused.reason) is None
    assert len(refused.reason.encode()) < 1_000, "the reason is for people, and must be one that can be told"
    assert (refused.offset, refused.row, refused.key) == (position, 0, b"\xff\x00key")
    assert refused.id == f"{learner.task.name}/0/{position}/0/0"
    assert (state.position, state.quarantined) == (position + 1, quarantined + 1)
    assert (digest(state.arms), digest(state.probes), state.updates) == before
    return refused


@cache
def shared(kind):
    """One learner a kind for the whole table: nothing in it may change the next one's model."""
    return warm(Task(name=kind, kind=kind))


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_hundreds_of_distinct_records(kind):
    assert len(hostile(kind)) >= 200
    assert len(set(hostile(kind).values())) == 10


@pytest.mark.parametrize(("kind", "value", "code"), list(each_record()))
def test_a_bad_record_is_quarantined_whole_and_changes_no_model(kind, value, code):
    check(shared(kind), value, code)


def test_what_a_task_does_not_declare_is_quarantined():
    learner = warm(DECLARED)
    codes = [check(learner, json.dumps(record).encode()).code for record in undeclared()]
    assert len(codes) >= 50
    assert {"record", "feature", "label"} >= set(codes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_is_refused_alike_whatever_is_left_of_the_call_stack(kind):
    def deeper(calls, value):
        if calls:
            return deeper(calls - 1, value)
        told_of = Reader(Task(name="t", kind=kind)).read(value)
        return [(type(found), getattr(found, "code", None), getattr(found, "reason", None)) for found in told_of]

    every = list(hostile(kind).items())
    for value, code in random.Random(kind).sample(every, some(len(every), of=8)):
        if code != "too_many_rows":
            assert deeper(0, value) == deeper(600, value), name_of(value)


def each_model():
    """One model of each kind; in `make test-all` every one."""
    for kind in KINDS:
        first, *others = names_for(kind)
        yield kind, first
        yield from (pytest.param(kind, other, marks=only_thorough) for other in others)


@pytest.mark.parametrize(("kind", "model"), list(each_model()))
def test_bad_records_between_good_ones_leave_the_arms_of_the_good_ones_alone(kind, model):
    task = Task(name="mixed", kind=kind, model=model)
    good = list(good_values(kind, 120, seed=1))
    alone = Learner(task, partition=0)
    for value in good:
        told(alone, value)

    dice, known, mixed = random.Random(2), set(good), list(good)
    every = list(hostile(kind))
    bad = every[:: len(every) // some(len(every))]
    for value in bad:
        mixed.insert(dice.randrange(len(mixed) + 1), value)
    between = Learner(task, partition=0)
    effects = [effect for value in mixed for effect in told(between, value)]
    assert [effect.value for effect in effects if isinstance(effect, Quarantined)] == [
        v or b"" for v in mixed if v not in known
    ]
    assert between.state.position > alone.state.position
    assert digest(between.state.arms) == digest(alone.state.arms)
    assert digest(between.state.probes) == digest(alone.state.probes)
    assert (between.state.updates, between.state.quarantined) == (len(good), len(bad))


@pytest.mark.parametrize("kind", KINDS)
def test_bad_rows_packed_with_good_ones_are_quarantined_one_by_one(kind):
    good = list(good_values(kind, 60, seed=3))
    alone = Learner(Task(name="packed", kind=kind), partition=0)
    for value in good:
        told(alone, value)

    dice, known, rows = random.Random(4), set(good), list(good)
    bad = [value for value in hostile(kind) if value is not None and b"\n" not in value and len(value) < 1_000]
    for value in [*bad, b"", b" ", b"\r"]:
        rows.insert(dice.randrange(len(rows) + 1), value)
    packed = Learner(Task(name="packed", kind=kind), partition=0)
    refused = []
    for start in range(0, len(rows), 50):
        pack = rows[start : start + 50]
        effects = [effect for effect in told(packed, b"\n".join(pack) + b"\n") if isinstance(effect, Quarantined)]
        assert [(effect.row, effect.value) for effect in effects] == [
            (row, value) for row, value in enumerate(pack) if value not in known
        ]
        assert len({effect.id for effect in effects}) == len(effects)
        assert all(effect.code and effect.reason for effect in effects)
        refused += effects
    assert len(refused) == len(rows) - len(good) == packed.state.quarantined
    assert digest(packed.state.arms) == digest(alone.state.arms)


class Credulous(Reader):
    """Mutant: takes whatever Python's own decoder takes."""

    def read(self, value):
        try:
            loose = json.loads(value)
            return [Record(features=loose["features"], label=loose["label"])]
        except (ValueError, TypeError, KeyError, RecursionError):
            return super().read(value)


class Silent(Reader):
    """Mutant: leaves out what it refuses."""

    def read(self, value):
        return [found for found in super().read(value) if not isinstance(found, Refused)]


class Shortening(Reader):
    """Mutant: does not keep the bytes as they came."""

    def read(self, value):
        return [Refused(found.code, found.reason, found.value.strip()[:1_000]) for found in super().read(value)]


class Wordless(Reader):
    """Mutant: gives no reason."""

    def read(self, value):
        return [Refused(found.code, "", found.value) for found in super().read(value)]


@pytest.mark.parametrize(("mutant", "least"), [(Credulous, 50), (Silent, 200), (Shortening, 10), (Wordless, 200)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_lets_bad_records_pass_is_caught(kind, mutant, least):
    task, caught, least = Task(name="mutant", kind=kind), 0, some(least)
    learner = Learner(task, partition=0)
    for value in good_values(kind, 5):
        told(learner, value)
    learner.reader = mutant(task)
    for value, code in hostile(kind).items():
        if code == "control":
            continue  # its refusal is the learner's, not the reader's
        if caught == least:
            break
        learner.between_messages = True
        try:
            check(learner, value)
        except Exception:
            caught += 1
            learner.state.position += 1
    assert caught == least, f"{mutant.__doc__} was noticed {caught} times"
