"""Proofs among workers: what they bind, how long and how often they hold, and that nothing else passes for one."""

import base64

import msgspec
import pytest

from headrace.app.caller import Caller
from headrace.app.cli.doctor import check_settings
from headrace.app.proof import VALID_SECONDS, Claims, ProofError, Proofs, digest_of_body
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError
from headrace.learning.signing import derive

SECRET = b"a secret that all workers share!"
HERE, THERE = "http://127.0.0.1:1", "http://127.0.0.1:2"
PATH = "/v1/ads/predict/batch"
PHONE = Caller("phone", ("predict",), hops=1, again=True)


class Clock:
    def __init__(self):
        self.time = 1_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ours(clock):
    return Proofs(SECRET, HERE, clock)


@pytest.fixture
def theirs(clock):
    return Proofs(SECRET, THERE, clock)


def prove(proofs, target=THERE, method="POST", path=PATH, body=b"[]"):
    return proofs.prove(PHONE, target, method, path, body)


def test_a_proof_tells_the_worker_that_is_asked_who_asks_what(ours, theirs):
    claims = theirs.open(prove(ours))
    assert claims.caller == PHONE
    assert (claims.target, claims.method, claims.path) == (THERE, "POST", PATH)
    assert claims.body == digest_of_body(b"[]") != digest_of_body(b"[ ]")


def test_a_proof_is_for_one_worker(ours, theirs, clock):
    with pytest.raises(ProofError, match="another worker"):
        Proofs(SECRET, "http://127.0.0.1:3", clock).open(prove(ours))
    with pytest.raises(ProofError, match="another worker"):
        ours.open(prove(ours))


@pytest.mark.parametrize("change", ["target", "method", "path", "body", "caller", "time", "nonce"])
def test_no_claim_can_be_changed(ours, theirs, change):
    packed, _, mac = prove(ours).partition(".")
    claims = msgspec.json.decode(base64.urlsafe_b64decode(packed), type=Claims)
    others = {"caller": Caller("phone", ("admin",), hops=1, again=True), "time": claims.time + 1}
    changed = msgspec.structs.replace(claims, **{change: others.get(change, "other")})
    forged = base64.urlsafe_b64encode(msgspec.json.encode(changed)).decode()
    with pytest.raises(ProofError, match="not made with"):
        theirs.open(f"{forged}.{mac}")


def test_what_is_no_proof_is_refused(ours, theirs, clock):
    proof = prove(ours)
    for wrong in ("", ".", proof[:-1], f"{proof} ", f"{proof}.", f".{proof}", proof.upper(), proof.replace(".", ""), "é.ü", "\udcff.\udcff"):  # fmt: skip
        with pytest.raises(ProofError, match="not made with"):
            theirs.open(wrong)
    with pytest.raises(ProofError, match="not made with"):
        theirs.open(prove(Proofs(SECRET + b"!", HERE, clock)))


def test_claims_of_another_version_are_refused_though_they_are_signed(ours, theirs):
    for claims in (b'{"target": "http://127.0.0.1:2"}', b"[]", b"\xff", b""):
        packed = base64.urlsafe_b64encode(claims).decode()
        with pytest.raises(ProofError, match="another version"):
            theirs.open(f"{packed}.{ours._mac(packed)}")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", PATH), ("POST", f"{PATH}?fresh=true"), ("POST", "/v1/ads/samples")]
)
def test_a_proof_is_for_one_request(ours, theirs, method, path):
    proof = prove(ours)
    claims = theirs.open(proof)
    with pytest.raises(ProofError, match="another request"):
        theirs.accept(proof, claims, method, path)
    theirs.accept(proof, claims, "POST", PATH)


def test_a_proof_holds_for_seconds_by_clocks_that_nearly_agree(ours, theirs, clock):
    for age, holds in ((-VALID_SECONDS - 0.1, False), (-VALID_SECONDS, True), (VALID_SECONDS, True), (VALID_SECONDS + 0.1, False)):  # fmt: skip
        proof = prove(ours)
        claims = theirs.open(proof)
        clock.time += age
        if holds:
            theirs.accept(proof, claims, "POST", PATH)
        else:
            with pytest.raises(ProofError, match="s old by the clock here"):
                theirs.accept(proof, claims, "POST", PATH)
        clock.time -= age


def test_a_proof_holds_once_and_is_forgotten_when_it_is_too_old_anyway(ours, theirs, clock):
    proof = prove(ours)
    claims = theirs.open(proof)
    theirs.accept(proof, claims, "POST", PATH)
    for _ in range(2):
        with pytest.raises(ProofError, match="used before"):
            theirs.accept(proof, claims, "POST", PATH)
        clock.time += VALID_SECONDS
    assert len(theirs._accepted) == 1
    later = prove(ours)
    theirs.accept(later, theirs.open(later), "POST", PATH)
    assert list(theirs._accepted) == [later]


def test_two_proofs_of_one_question_differ(ours):
    assert prove(ours) != prove(ours)


def test_an_answer_is_bound_to_its_question_its_status_and_its_body(ours, theirs, clock):
    proof, another = prove(ours), prove(ours)
    signature = theirs.sign(proof, 200, b"[1]")
    assert ours.is_signed(signature, proof, 200, b"[1]")
    for other in ((another, 200, b"[1]"), (proof, 409, b"[1]"), (proof, 200, b"[2]"), (proof, 20, b"0\n[1]")):
        assert not ours.is_signed(signature, *other)
    for wrong in ("", signature[:-1], signature.upper(), "é", Proofs(b"other", THERE, clock).sign(proof, 200, b"[1]")):
        assert not ours.is_signed(wrong, proof, 200, b"[1]")


def test_no_proof_stands_for_an_answer(ours):
    proof = prove(ours)
    mac = base64.urlsafe_b64decode(proof.partition(".")[2])
    assert not ours.is_signed(mac.hex(), proof, 200, b"")
    keys = {derive(SECRET, "forward/question"), derive(SECRET, "forward/answer"), SECRET}
    assert len(keys) == 3


def settings(folder, **worker):
    return parse({"worker": worker, "tasks": {"ads": {"kind": "binary"}}}, folder / "headrace.toml")


def test_the_secret_is_in_a_file_or_in_the_environment_and_not_short(tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_GROUP_SECRET", raising=False)
    assert settings(tmp_path).proofs() is None
    monkeypatch.setenv("HEADRACE_GROUP_SECRET", SECRET.decode())
    assert settings(tmp_path).group_secret() == SECRET
    (tmp_path / "secret").write_text("x" * 40 + "\n")
    assert settings(tmp_path, group_secret_file="secret").group_secret() == b"x" * 40
    (tmp_path / "secret").write_text("x" * 31)
    with pytest.raises(SettingsError, match="31 bytes") as raised:
        settings(tmp_path, group_secret_file="secret").group_secret()
    assert "x" * 31 not in str(raised.value)
    (tmp_path / "secret").write_text(" \n")
    with pytest.raises(SettingsError, match="'worker.group_secret_file' is empty"):
        settings(tmp_path, group_secret_file="secret").proofs()
    with pytest.raises(SettingsError, match="'worker.group_secret_file' cannot be read"):
        settings(tmp_path, group_secret_file="nowhere").proofs()


def test_doctor_tells_of_keys_without_a_secret(tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_GROUP_SECRET", raising=False)
    monkeypatch.setenv("HEADRACE_KEYS", f"phone predict {digest_of_body(b'grain')}")
    _, finding = check_settings(settings(tmp_path))
    assert (finding.check, finding.status, "HEADRACE_GROUP_SECRET" in finding.remedy) == ("group secret", "note", True)
    monkeypatch.setenv("HEADRACE_GROUP_SECRET", SECRET.decode())
    assert [finding.status for finding in check_settings(settings(tmp_path))] == ["ok"]
    monkeypatch.setenv("HEADRACE_GROUP_SECRET", "short")
    assert [finding.status for finding in check_settings(settings(tmp_path))] == ["fault"]
