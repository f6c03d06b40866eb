"""Secrets at rest: encrypted with the newest key, opened with any that is still known."""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, MultiFernet


class Encryptor:
    """Encrypts bytes. To rotate, put a new key first and keep the old ones as long as anything
    encrypted with them lives; a key is any text."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    def encrypt(self, content: bytes) -> bytes:
        return self._fernet.encrypt(content)

    def decrypt(self, encrypted: bytes) -> bytes:
        """Raises cryptography.fernet.InvalidToken when no known key fits."""
        return self._fernet.decrypt(encrypted)


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"vault\0{key}".encode()).digest())
