"""Proves to a worker that another worker of the group forwarded a question, and to that worker that the answer is from the one it asked.

All workers of a group share a secret. A forwarded question carries a proof: claims, and an HMAC-SHA256 of the claims. The answer carries
an HMAC of the proof, the status and the body. Each purpose has its own key, derived from the secret, so a proof cannot be used as the
signature of an answer. Neither contains an API key.
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
"""The header of a question that a worker forwards: `claims.mac`, both in base64url."""

SIGNATURE = "Headrace-Signature"
"""The header of an answer to a forwarded question: an HMAC as hex digits."""

VALID_SECONDS: Final = 10.0
"""How old, or how far in the future, a proof may be. Clocks differ, and the network and a busy loop take time."""

SECRET_MIN = 32
"""The smallest size of a group secret, in bytes. Who receives a proof can try secrets on it offline, so a short secret could be found."""


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The claims in a proof: what a worker says of a question that it forwards.

    Parameters
    ----------
    target
        The address of the worker that is asked. No other worker accepts the question.
    method, path
        The method and the path of the request; the path contains the task and the query.
    body
        The SHA-256 of the request's body, as hex digits.
    caller
        The caller who asks the question.
    time
        The time at which the proof was made, in seconds since the epoch.
    nonce
        A random text that makes every proof different.
    """

    target: str
    method: str
    path: str
    body: str
    caller: Caller
    time: float
    nonce: str


class ProofError(Exception):
    """A proof is not valid. The message says why, and quotes nothing of the proof."""


class Proofs:
    """Makes and checks proofs, and signs and checks the answers to them.

    A proof is accepted once: it is remembered until it is too old. A worker that starts again has forgotten the proofs that it accepted.

    Parameters
    ----------
    secret
        The secret that all workers of the group share.
    address
        The address of this worker.
    now
        Returns the time, in seconds since the epoch.

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
        """Make the proof for a question that is forwarded to the worker at `target`."""
        claims = Claims(target, method, path, digest_of_body(body), caller, self.now(), secrets.token_hex(16))
        packed = base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode()
        return f"{packed}.{self._mac(packed)}"

    def open(self, proof: str) -> Claims:
        """Return the claims of a proof that a worker of the group has made for this worker; ProofError otherwise."""
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
        """Accept a proof for a request, once and in time; ProofError if it is for another request, too old, or used before.

        The body is not compared, since it may not have arrived yet.
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
        """Return the signature of an answer to the question that came with a proof."""
        signed = f"{proof}\n{status}\n{digest_of_body(body)}"
        return hmac.new(self._answer_key, signed.encode(), hashlib.sha256).hexdigest()

    def is_signed(self, signature: str, proof: str, status: int, body: bytes) -> bool:
        """Say whether a worker that knows the secret has signed this answer for this proof."""
        return is_equal(signature, self.sign(proof, status, body))

    def _mac(self, packed: str) -> str:
        encoded = packed.encode("utf-8", "surrogateescape")
        return base64.urlsafe_b64encode(hmac.digest(self._question_key, encoded, "sha256")).decode()

    def _forget(self, now: float) -> None:
        """Forget proofs that are too old to be accepted. The proofs are roughly in the order of their times."""
        while self._accepted and self._accepted[oldest := next(iter(self._accepted))] < now:
            del self._accepted[oldest]


def digest_of_body(body: bytes) -> str:
    """Return the SHA-256 of a body, as hex digits."""
    return hashlib.sha256(body).hexdigest()


def is_equal(shown: str, expected: str) -> bool:
    """Compare two texts in a time that does not reveal where they differ."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), expected.encode())
