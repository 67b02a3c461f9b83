"""API keys: the lines of a keys file, and the roles and rates of keys."""

import hashlib
import hmac

import pytest

from headrace.app.keys import ApiKeys, digest_of, parse_keys
from headrace.app.rate import Bucket
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError


def line(name, roles, secret, more=""):
    return f"{name} {roles} {hashlib.sha256(secret.encode()).hexdigest()} {more}"


def test_a_key_opens_its_own_roles_and_admin_opens_all():
    text = "\n".join([line("phone", "predict", "a"), line("desk", "feedback,predict", "b"), line("ops", "admin", "c")])
    keys = ApiKeys(parse_keys(f"# whose keys these are\n\n{text}  # the last\n", "keys"))
    opened = {key.name: {role for role in ("predict", "feedback", "admin") if key.may(role)} for key in keys}
    assert opened == {"phone": {"predict"}, "desk": {"predict", "feedback"}, "ops": {"predict", "feedback", "admin"}}
    assert keys.find("b").name == "desk"


def test_feedback_alone_may_not_predict():
    (key,) = parse_keys(line("desk", "feedback", "b"), "keys")
    assert key.may("feedback")
    assert not key.may("predict")


def test_what_is_nearly_a_key_is_none():
    keys = ApiKeys(parse_keys(line("phone", "predict", "secret"), "keys"))
    for guess in ("", "Secret", "secret ", "secre", "secret\0", digest_of("secret").hex(), "\udcff"):
        assert keys.find(guess) is None


def test_all_keys_are_looked_at_whichever_is_shown(monkeypatch):
    looked = []
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: looked.append(one) or one == other)
    keys = ApiKeys(parse_keys("\n".join(line(f"k{n}", "predict", f"s{n}") for n in range(5)), "keys"))
    for secret in ("s0", "s4", "none"):
        looked.clear()
        keys.find(secret)
        assert len(looked) == 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("phone predict", "line 1 has 2 parts"),
        ("\nphone predict secret", "line 2 has no SHA-256"),
        (line("phone", "predict,boss", "a"), "role that is not one of predict, feedback, admin"),
        (line("phone", "", "a"), "parts"),
        (line("ph/one", "predict", "a"), "has no name"),
        (line("phone", "predict", "a", "fast"), "no rate above 0"),
        (line("phone", "predict", "a", "0"), "no rate above 0"),
        (line("phone", "predict", "a", "1 2"), "5 parts"),
        (line("phone", "predict", "A").upper(), "role"),
    ],
)
def test_a_line_that_is_no_key_is_refused_without_being_quoted(text, reason):
    with pytest.raises(SettingsError) as refused:
        parse_keys(text, "keys")
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_keys_of_one_name_and_one_key_of_two_names_are_refused():
    for text in (
        [line("one", "predict", "a"), line("one", "admin", "b")],
        [line("one", "predict", "a"), line("two", "admin", "a")],
    ):
        with pytest.raises(SettingsError, match="stands twice"):
            ApiKeys(parse_keys("\n".join(text), "keys"))


def test_keys_come_from_the_file_and_the_environment_together(tmp_path, monkeypatch):
    (tmp_path / "keys").write_text(line("phone", "predict", "a"))
    monkeypatch.setenv("HEADRACE_KEYS", f"{line('desk', 'feedback', 'b')};{line('ops', 'admin', 'c', '9')}")
    raw = {"worker": {"keys_file": "keys"}, "tasks": {"ads": {"kind": "binary"}}}
    keys = parse(raw, tmp_path / "headrace.toml").keys()
    assert {key.name: key.rate for key in keys} == {"phone": None, "desk": None, "ops": 9.0}


@pytest.mark.parametrize("content", [None, "", "# none yet\n", b"\xff"])
def test_a_keys_file_that_holds_none_opens_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "keys").write_bytes(content if isinstance(content, bytes) else content.encode())
    raw = {"worker": {"keys_file": "keys"}, "tasks": {"ads": {"kind": "binary"}}}
    with pytest.raises(SettingsError, match="keys"):
        parse(raw, tmp_path / "headrace.toml").keys()


def test_a_keys_file_that_cannot_be_read_is_told_with_the_settings_file(tmp_path):
    raw = {"worker": {"keys_file": "keys"}, "tasks": {"ads": {"kind": "binary"}}}
    with pytest.raises(SettingsError) as caught:
        parse(raw, tmp_path / "headrace.toml").keys()
    where = f"{tmp_path}/headrace.toml: 'worker.keys_file': {tmp_path}/keys"
    assert str(caught.value) == f"{where} cannot be used: No such file or directory. Name a file that can be read."


def test_the_command_makes_a_line_for_the_key_that_it_shows(headrace):
    made = headrace("key", "phone", "predict,feedback")
    (key,) = parse_keys(made.out, "keys")
    secret = made.err.rsplit(" ", 1)[1].strip()
    assert key.digest == digest_of(secret)
    assert secret not in made.out


@pytest.mark.parametrize(
    ("name", "roles", "reason"),
    [
        ("phone", "boss", "'boss' is no role. Roles: predict, feedback, admin."),
        ("bad", "predct", "'predct' is no role. Did you mean 'predict'?"),
        ("bad", "predict,", "'' is no role. Roles: predict, feedback, admin."),
        ("two words", "predict", "'two words' is no name for a key. Use up to 63 letters"),
        ("", "predict", "'' is no name for a key."),
        ("#phone", "predict", "'#phone' is no name for a key."),
    ],
)
def test_a_name_or_a_role_that_no_key_has_is_named(headrace, name, roles, reason):
    called = headrace("key", name, roles)
    assert (called.status, called.out) == (2, "")
    assert reason in called.err
    assert "line 1" not in called.err


def test_a_bucket_lets_the_rate_through_and_no_more():
    bucket, now, let = Bucket(rate=5, now=0.0), 0.0, 0
    for _ in range(1000):
        now += 0.01
        let += bucket.take(now) == 0.0
    assert let in (54, 55)  # five at once, and five for each of ten seconds


def test_a_slow_rate_lets_one_through_and_says_when_the_next_may_come():
    bucket = Bucket(rate=0.1, now=0.0)
    assert bucket.take(0.0) == 0.0
    assert bucket.take(4.0) == pytest.approx(6.0)
    assert bucket.take(10.1) == 0.0
