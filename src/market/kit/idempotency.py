"""`Idempotency-Key`: the same key and body get the first answer again.

Two ways, because a gateway call must never sit inside a transaction:

- `Scope.ONE_TRANSACTION`: the key is claimed, the work done and the answer kept in the same
  transaction, so an effect without its answer can't exist.
- `Scope.WITH_GATEWAY`: the claim is committed first, then the work runs, then the answer is kept.
  If the process dies in between, the claim lapses after `LEASE` and a repeat runs the work again;
  that work finds what the first one did (one open payment per trade, a cancellation by the key's
  own `wish`).

Answers are kept encrypted under a key made from our secret and the client's key, of which only
a digest is stored: an answer may hold tokens, and a stolen table must not.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import ClassVar

from cryptography.fernet import Fernet
from msgspec import Struct, json

from market.shared.clock import Clock
from market.shared.errors import (
    Conflict,
    GatewayTrouble,
    Invalid,
    MarketError,
    Unavailable,
    Unprocessable,
)

from . import problems
from .db import Database

# Longer than any work takes: three calls of a gateway that uses up its 60 seconds each.
LEASE = timedelta(minutes=5)
KEPT = timedelta(hours=24)
LONGEST_KEY = 255


class KeyReused(Unprocessable):
    """This Idempotency-Key was used for another request."""

    code: ClassVar[str] = "idempotency_key_reused"


class InProgress(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code: ClassVar[str] = "idempotency_in_progress"


class Scope(Enum):
    """Whether the work fits in one transaction or calls the gateway in between."""

    ONE_TRANSACTION = auto()
    WITH_GATEWAY = auto()


class Answer(Struct):
    """A finished request's answer: status and JSON body."""

    status: int
    body: bytes
    problem: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key, with what it was used by and for."""

    owner: str
    text: str
    fingerprint: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.text) <= LONGEST_KEY or not self.text.isprintable():
            raise Invalid(f"Idempotency-Key takes 1 to {LONGEST_KEY} printable characters.")

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.owner}\0{self.text}".encode()).digest()

    @property
    def wish(self) -> str:
        """The id of what this key, used for this request, leads to: 32 hex digits."""
        return hashlib.sha256(self.digest + self.fingerprint).hexdigest()[:32]


Work = Callable[[], Awaitable[Answer]]


class Idempotency:
    """Remembers answers by key, for `KEPT`."""

    def __init__(self, db: Database, clock: Clock, secret: str) -> None:
        self._db = db
        self._clock = clock
        self._secret = secret.encode()

    async def answer(self, key: Key, scope: Scope, work: Work) -> Answer:
        """The first answer to this key, by doing the work if it has none yet.

        Raises KeyReused, InProgress, or whatever passing trouble the work meets (which is not
        kept: the client may simply try again).
        """
        try:
            if scope is Scope.ONE_TRANSACTION:
                return await self._whole(key, work)
            return await self._leased(key, work)
        except (Unavailable, GatewayTrouble, KeyReused, InProgress):
            raise
        except MarketError as refusal:
            return await self._refused(key, refusal)

    async def _whole(self, key: Key, work: Work) -> Answer:
        async with self._db.transaction():
            if (known := await self._find(key)) is not None:
                return known
            answer = await work()
            await self._keep(key, answer)
            return answer

    async def _leased(self, key: Key, work: Work) -> Answer:
        async with self._db.transaction():
            if (known := await self._find(key)) is not None:
                return known
            until = await self._claim(key)
        try:
            answer = await work()
        except (Unavailable, GatewayTrouble):
            # Only our own claim: after its end somebody else may have taken the key, or answered.
            await self._db.execute(
                """
                DELETE FROM idempotency_keys
                WHERE digest = $1 AND claimed_until = $2 AND answer IS NULL
                """,
                key.digest,
                until,
            )
            raise
        await self._keep(key, answer)
        return answer

    async def _refused(self, key: Key, refusal: MarketError) -> Answer:
        """A refusal is an answer too, kept after the work it refused was rolled back."""
        problem = problems.of_market_error(refusal)
        answer = Answer(problem.status, json.encode(problem), problem=True)
        await self._keep(key, answer)
        return answer

    async def _find(self, key: Key) -> Answer | None:
        """The answer this key has, and None for the first to come. Raises KeyReused, InProgress."""
        # The lock lasts to the end of the transaction: a second request is told at once that the
        # first still runs, where waiting on the unique index would hold a connection meanwhile.
        # It is a statement of its own: the next one's snapshot must be younger than the lock.
        lock = int.from_bytes(key.digest[:8], "big", signed=True)
        if not await self._db.value("SELECT pg_try_advisory_xact_lock($1)", lock):
            raise InProgress
        row = await self._db.find(
            "SELECT fingerprint, answer, claimed_until FROM idempotency_keys WHERE digest = $1",
            key.digest,
        )
        if row is None:
            return None
        if not hmac.compare_digest(row["fingerprint"], key.fingerprint):
            raise KeyReused
        if row["answer"] is not None:
            return json.decode(self._cipher(key).decrypt(row["answer"]), type=Answer)
        if row["claimed_until"] > self._clock.now():
            raise InProgress
        return None

    async def _claim(self, key: Key) -> datetime:
        """Takes the key for this request; until when."""
        now = self._clock.now()
        await self._db.execute(
            """
            INSERT INTO idempotency_keys (digest, fingerprint, claimed_until, created_at)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (digest) DO UPDATE SET claimed_until = excluded.claimed_until
            """,
            key.digest,
            key.fingerprint,
            now + LEASE,
            now,
        )
        return now + LEASE

    async def _keep(self, key: Key, answer: Answer) -> None:
        """Keeps the answer unless the key has one: the first stands."""
        now = self._clock.now()
        await self._db.execute(
            """
            INSERT INTO idempotency_keys (digest, fingerprint, claimed_until, created_at, answer)
            VALUES ($1, $2, $3, $3, $4)
            ON CONFLICT (digest) DO UPDATE SET answer = excluded.answer
                WHERE idempotency_keys.answer IS NULL
            """,
            key.digest,
            key.fingerprint,
            now,
            self._cipher(key).encrypt(json.encode(answer)),
        )

    async def forget_old(self) -> int:
        """Drops keys older than `KEPT`; how many."""
        return await self._db.execute(
            "DELETE FROM idempotency_keys WHERE created_at < $1", self._clock.now() - KEPT
        )

    def _cipher(self, key: Key) -> Fernet:
        made_of = hmac.digest(self._secret, f"{key.owner}\0{key.text}".encode(), "sha256")
        return Fernet(base64.urlsafe_b64encode(made_of))
