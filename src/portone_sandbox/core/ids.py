"""Ids, tokens and everything else that is drawn: by chance, or with a seed alike in every run."""

import hashlib
import secrets
import uuid
from base64 import urlsafe_b64encode
from typing import Protocol


class Memory(Protocol):
    """Where the count of draws is stored."""

    def next_number(self, name: str) -> int:
        """1, 2, 3 …"""


class Ids:
    """With a seed, a draw is a hash of the seed and the draw's number.

    The file stores the number, so that a restart draws no id again; a reset begins anew.
    """

    def __init__(self, memory: Memory, seed: str | None) -> None:
        self._memory = memory
        self._seed = seed

    def draw(self, count: int, about: str | None = None) -> bytes:
        """So many bytes.

        `about` names a draw whose turn is not certain, as between retries: it counts by its name.
        """
        if self._seed is None:
            return secrets.token_bytes(count)
        turn = str(self._memory.next_number("draw")) if about is None else about
        return hashlib.shake_256(f"{self._seed}/{turn}".encode()).digest(count)

    def uuid(self, about: str | None = None) -> uuid.UUID:
        """A UUID of version 4."""
        return uuid.UUID(bytes=self.draw(16, about), version=4)

    def hex(self, digits: int) -> str:
        """Hexadecimal digits."""
        return self.draw((digits + 1) // 2).hex()[:digits]

    def token(self, count: int) -> str:
        """A token of so many bytes, as it may stand in a URL."""
        return urlsafe_b64encode(self.draw(count)).rstrip(b"=").decode()

    def digits(self, count: int) -> str:
        """Decimal digits, the first of which is not 0."""
        low: int = 10 ** (count - 1)
        return str(low + int.from_bytes(self.draw(16)) % (9 * low))

    def fraction(self, about: str) -> float:
        """A number from 0 up to 1."""
        return int.from_bytes(self.draw(6, about)) / 2**48

    def webhook_id(self, about: str | None = None) -> str:
        """An id for one message, as a webhook-id header shows it."""
        return f"wh_{self.uuid(about).hex}"
