"""Keys for signing: each purpose has one of its own, derived from a secret that workers share."""

import hmac


def derive(secret: bytes, purpose: str) -> bytes:
    """The key of a purpose, of 32 bytes: HMAC-SHA256 of its name with the secret. One key tells nothing of another, or of the secret.

    Examples
    --------
    >>> derive(b"s" * 32, "forward/question") == derive(b"s" * 32, "forward/answer")
    False
    """
    return hmac.digest(secret, f"headrace/{purpose}/1".encode(), "sha256")
