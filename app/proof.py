"""Proofs among workers: that a question was passed on by a worker, and that its answer is from the worker that was asked.

All workers of a group share a secret. A question that is passed on carries a proof: claims, and an HMAC-SHA256 over them. The answer
carries an HMAC over that proof, its status and its body. Each purpose has a key of its own, derived from the secret, so that a proof can
never stand for an answer. An API key is in none of this.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec

from headrace.app.caller import Caller
from headrace.learning.signing import derive

PROOF = "Headrace-Proof"
"""The header of a question that a worker passes on: `claims.mac`, both in base64url."""

SIGNATURE = "Headrace-Signature"
"""The header of an answer to such a question: an HMAC as hex digits."""

VALID_SECONDS: Final = 10.0
"""How old or how far in the future a proof may be: what clocks differ by, and what the way and a busy loop take."""

SECRET_MIN = 32
"""Bytes of a group secret, at least. Whoever receives a proof can try secrets on it at leisure, so a short one could be found."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker says of a question that it passes on.

    Parameters
    ----------
    target
        The address of the worker that is asked: no other takes the question.
    method, path
        Of the request; the path names the task and has its query.
    body
        SHA-256 of the request's body, as hex digits.
    caller
        Who asks.
    time
        When the proof was made, in seconds since the epoch.
    nonce
        Makes every proof another one.
    """

    target: str
    method: str
    path: str
    body: str
    caller: Caller
    time: float
    nonce: str


class ProofError(Exception):
    """A proof that does not hold, and why. The reason quotes nothing of the proof."""


class Proofs:
    """Makes and checks proofs.

    A proof is accepted once: it is remembered until it is too old. That memory is lost when a worker starts again.

    Parameters
    ----------
    secret
        What all workers of the group share.
    address
        Of this worker.
    now
        The time in seconds since the epoch.

    Examples
    --------
    >>> ours, theirs = (Proofs(b"s" * 32, f"http://127.0.0.1:{port}") for port in (1, 2))
    >>> proof = ours.prove(Caller("phone", ("predict",)), "http://127.0.0.1:2", "POST", "/v1/ads/predict/batch", b"[]")
    >>> claims = theirs.open(proof)
    >>> theirs.accept(proof, claims, "POST", "/v1/ads/predict/batch")
    >>> claims.caller.key, claims.body == digest_of_body(b"[]")
    ('phone', True)
    >>> signature = theirs.sign(proof, 200, b"[]")
    >>> ours.is_signed(signature, proof, 200, b"[]"), ours.is_signed(signature, proof, 200, b"[1]")
    (True, False)
    >>> ours.open(proof)
    Traceback (most recent call last):
    ...
    headrace.app.proof.ProofError: the proof is for another worker
    """

    def __init__(self, secret: bytes, address: str, now: Callable[[], float] = time.time):
        self.address, self.now = address, now
        self._question_key, self._answer_key = derive(secret, "forward/question"), derive(secret, "forward/answer")
        self._accepted: dict[str, float] = {}

    def prove(self, caller: Caller, target: str, method: str, path: str, body: bytes) -> str:
        """The proof of a question that is passed on to `target`."""
        claims = Claims(target, method, path, digest_of_body(body), caller, self.now(), secrets.token_hex(16))
        packed = base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode()
        return f"{packed}.{self._mac(packed)}"

    def open(self, proof: str) -> Claims:
        """The claims of a proof that was made by a worker of the group for this one; ProofError otherwise."""
        packed, _, mac = proof.partition(".")
        if not is_equal(mac, self._mac(packed)):
            raise ProofError("the proof was not made with this worker's group secret")
        try:
            claims = msgspec.json.decode(base64.urlsafe_b64decode(packed), type=Claims)
        except (ValueError, msgspec.MsgspecError):
            raise ProofError("the proof was made by another version of Headrace") from None
        if claims.target != self.address:
            raise ProofError("the proof is for another worker")
        return claims

    def accept(self, proof: str, claims: Claims, method: str, path: str) -> None:
        """Take the claims of an opened proof for a request, once and in time; ProofError if they do not hold for it.

        The body is not compared: it may not have arrived yet.
        """
        if (method, path) != (claims.method, claims.path):
            raise ProofError("the proof is for another request")
        now = self.now()
        age = now - claims.time
        if not abs(age) <= VALID_SECONDS:
            raise ProofError(f"the proof is {age:.1f} s old by the clock here; {VALID_SECONDS:g} s are allowed")
        self._forget(now)
        if proof in self._accepted:
            raise ProofError("the proof was used before")
        self._accepted[proof] = claims.time + VALID_SECONDS

    def sign(self, proof: str, status: int, body: bytes) -> str:
        """The signature of an answer to the question of a proof."""
        said = f"{proof}\n{status}\n{digest_of_body(body)}"
        return hmac.new(self._answer_key, said.encode(), hashlib.sha256).hexdigest()

    def is_signed(self, signature: str, proof: str, status: int, body: bytes) -> bool:
        """Whether an answer was signed, for this proof, by a worker that knows the secret."""
        return is_equal(signature, self.sign(proof, status, body))

    def _mac(self, packed: str) -> str:
        said = packed.encode("utf-8", "surrogateescape")
        return base64.urlsafe_b64encode(hmac.digest(self._question_key, said, "sha256")).decode()

    def _forget(self, now: float) -> None:
        """Forget proofs that are too old to be accepted. They are in about the order of their times."""
        while self._accepted and self._accepted[oldest := next(iter(self._accepted))] < now:
            del self._accepted[oldest]


def digest_of_body(body: bytes) -> str:
    """SHA-256 of a body, as hex digits."""
    return hashlib.sha256(body).hexdigest()


def is_equal(shown: str, expected: str) -> bool:
    """Compare in a time that does not tell where two texts differ."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), expected.encode())
