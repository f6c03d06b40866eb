"""Passwords, hashed with Argon2id."""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB = 19 * 1024
_PASSES = 2


class Argon2Passwords:
    """Argon2id in threads, a few at a time: each hash takes a core and 19 MiB."""

    def __init__(self, concurrency: int = 2) -> None:
        self._hasher = _hasher()
        self._turn = asyncio.Semaphore(concurrency)
        self._no_member_hash = _dummy_hash()

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, hashed: str | None) -> bool:
        async with self._turn:
            matching = await asyncio.to_thread(
                self._verify, password, hashed or self._no_member_hash
            )
        return matching and hashed is not None

    def _verify(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)


@cache
def _dummy_hash() -> str:
    """Verified when there is no member, so that an unknown address takes as long as a known one.
    Computed once, before the first sign-in: hashing takes as long as verifying."""
    return _hasher().hash("no member has this password")
