"""Signing keys: each purpose has its own key, derived from a secret that the workers share."""

import hmac


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive the 32-byte key of a purpose: the HMAC-SHA256 of the purpose's name under the secret.

    A key reveals neither the secret nor the key of another purpose.

    Examples
    --------
    >>> derive(b"s" * 32, "forward/question") == derive(b"s" * 32, "forward/answer")
    False
    """
    return hmac.digest(secret, f"headrace/{purpose}/1".encode(), "sha256")
