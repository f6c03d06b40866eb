"""Codes that are good once and soon over, with something sealed behind each."""

import hashlib
import secrets
from datetime import timedelta

from market.kit.db.database import Database
from market.kit.db.purge import BATCH_SIZE, drop
from market.shared.clock import Clock

from .encryption import Encryptor


class SqlOneTimeCodes:
    """Only a digest of each code is kept, and its content sealed: a stolen table opens nothing."""

    def __init__(self, db: Database, encryptor: Encryptor, clock: Clock) -> None:
        self._db = db
        self._encryptor = encryptor
        self._clock = clock

    async def keep(self, purpose: str, holder: str, content: bytes, life: timedelta) -> str:
        """A new code, good for this purpose and for whoever has `holder` besides."""
        code = secrets.token_urlsafe(32)
        await self._db.execute(
            "INSERT INTO one_time_codes (digest, content, expires_at) VALUES ($1, $2, $3)",
            _digest(purpose, holder, code),
            self._encryptor.encrypt(content),
            self._clock.now() + life,
        )
        return code

    async def take(self, purpose: str, holder: str, code: str) -> bytes | None:
        """What is behind a code, which is spent then; None for one that is not good.

        One statement: of two who come at once, one finds nothing.
        """
        row = await self._db.fetch_one(
            "DELETE FROM one_time_codes WHERE digest = $1 RETURNING content, expires_at",
            _digest(purpose, holder, code),
        )
        if row is None or row["expires_at"] <= self._clock.now():
            return None
        return self._encryptor.decrypt(row["content"])

    async def purge_expired(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of the codes that nobody took in time; how many."""
        return await drop(self._db, "one_time_codes", "expires_at <= $1", limit, self._clock.now())


def _digest(purpose: str, holder: str, code: str) -> bytes:
    """Codes are random and long: nobody finds one by trying, so no key is needed."""
    return hashlib.sha256(f"{purpose}\0{holder}\0{code}".encode(errors="replace")).digest()
