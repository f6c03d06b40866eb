"""`Idempotency-Key`: the same key and body get the first answer again.

Two ways, because a gateway call must never sit inside a transaction:

- `ExecutionMode.ONE_TRANSACTION`: the key is claimed, the work done and the answer kept in the same
  transaction, so an effect without its answer can't exist.
- `ExecutionMode.WITH_GATEWAY`: the claim is committed first, then the work runs, then the answer is
  kept. If the process dies in between, the claim lapses after `LEASE` and a repeat runs the work
  again; that work finds what the first one did (one open payment per trade, a cancellation by the
  key's own `operation_id`).

Answers are kept encrypted under a key made from our secret and the client's key, of which only
a digest is stored: an answer may hold tokens, and a stolen table must not.
"""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import ClassVar, TypeVar

from cryptography.fernet import Fernet
from msgspec import Struct, json

from market.kit.db.database import Database, Row
from market.kit.db.purge import BATCH_SIZE, drop
from market.shared.clock import Clock, is_ahead
from market.shared.errors import (
    Conflict,
    Invalid,
    MarketError,
    RateLimited,
    Unavailable,
    Unprocessable,
    UpstreamUnavailable,
)

from . import problems

# Longer than any work takes: three calls of a gateway that uses up its 60 seconds each.
LEASE = timedelta(minutes=5)
RETENTION = timedelta(hours=24)
KEY_LENGTH_MAX = 255
# The answer may be another when the client tries again, so it is not kept.
PASSING = (Unavailable, UpstreamUnavailable, RateLimited)


class KeyReused(Unprocessable):
    code: ClassVar[str] = "idempotency_key_reused"
    message: ClassVar[str] = "This Idempotency-Key was used for a different request."


class InProgress(Conflict):
    code: ClassVar[str] = "idempotency_in_progress"
    message: ClassVar[str] = "The first request with this Idempotency-Key is still running."


class ExecutionMode(Enum):
    """Whether the work fits in one transaction or calls the gateway in between."""

    ONE_TRANSACTION = auto()
    WITH_GATEWAY = auto()


class EncodedResponse(Struct):
    """A finished request's answer: status and JSON body; `etag` names what it shows of a thing that
    can be edited."""

    status: int
    body: bytes
    problem: bool = False
    etag: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """Those beside type and length."""
        return {"etag": self.etag} if self.etag else {}


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key, with what it was used by and for."""

    owner: str
    text: str
    fingerprint: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.text) <= KEY_LENGTH_MAX or not self.text.isprintable():
            raise Invalid(f"Idempotency-Key takes 1 to {KEY_LENGTH_MAX} printable characters.")

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.owner}\0{self.text}".encode()).digest()

    @property
    def operation_id(self) -> str:
        """The id of what this key, used for this request, leads to: 32 hex digits."""
        return hashlib.sha256(self.digest + self.fingerprint).hexdigest()[:32]


Work = Callable[[], Awaitable[EncodedResponse]]
Ask = TypeVar("Ask")


class Idempotency:
    """Remembers answers by key, for `RETENTION`."""

    def __init__(self, db: Database, clock: Clock, secret: str) -> None:
        self._db = db
        self._clock = clock
        self._secret = secret.encode()

    async def answer(self, key: IdempotencyKey, mode: ExecutionMode, work: Work) -> EncodedResponse:
        """The first answer to this key, by doing the work if it has none yet.

        Raises KeyReused, InProgress, or whatever passing trouble the work meets (which is not
        kept: the client may simply try again).
        """
        try:
            if mode is ExecutionMode.ONE_TRANSACTION:
                return await self._whole(key, work)
            return await self._leased(key, work)
        except (*PASSING, KeyReused, InProgress):
            raise
        except MarketError as refusal:
            return await self._refused(key, refusal)

    async def _whole(self, key: IdempotencyKey, work: Work) -> EncodedResponse:
        async with self._db.transaction():
            if (known := await self._find(key)) is not None:
                return known
            answer = await work()
            await self._keep(key, answer)
            return answer

    async def answer_all(
        self,
        asks: Sequence[tuple[IdempotencyKey | None, Ask]],
        work: Callable[[Sequence[Ask]], Awaitable[Sequence[EncodedResponse | MarketError]]],
    ) -> Sequence[EncodedResponse | MarketError]:
        """`ExecutionMode.ONE_TRANSACTION` for many at once: one transaction holds the effects of
        all, their keys and their answers. A refusal is an answer, kept for its key; `work` must
        have changed nothing for who is refused.

        What one of them hears is its own: the first answer to its key, KeyReused, InProgress, or
        what the work says.
        """
        async with self._db.transaction():
            known = await self._find_all([key for key, _ in asks if key])
            answers: list[EncodedResponse | MarketError | None] = [
                known.get(id(key)) if key else None for key, _ in asks
            ]
            fresh = [number for number, answer in enumerate(answers) if answer is None]
            told = await work([asks[number][1] for number in fresh])
            for number, answer in zip(fresh, told, strict=True):
                answers[number] = answer
            await self._keep_all(
                [
                    (key, _kept(answer))
                    for number, answer in zip(fresh, told, strict=True)
                    if (key := asks[number][0])
                ]
            )
        return [answer for answer in answers if answer is not None]

    async def _find_all(
        self, keys: Sequence[IdempotencyKey]
    ) -> dict[int, EncodedResponse | MarketError]:
        """What `_find` says of each; by the key's identity, for two may be the same key."""
        found: dict[int, EncodedResponse | MarketError] = {}
        if not keys:
            return found
        # safeguard: one purchase per Idempotency-Key in all batches
        locks = await self._db.fetch_value(
            "SELECT array_agg(pg_try_advisory_xact_lock(n) ORDER BY place)"
            " FROM unnest($1::bigint[]) WITH ORDINALITY AS k (n, place)",
            [_lock(key) for key in keys],
        )
        rows = {
            row["digest"]: row
            for row in await self._db.fetch(
                "SELECT digest, fingerprint, answer, claimed_until FROM idempotency_keys"
                " WHERE digest = ANY ($1::bytea[])",
                [key.digest for key in keys],
            )
        }
        seen: set[bytes] = set()
        for key, locked in zip(keys, locks, strict=True):
            # A session may take a lock of its own twice: of two with one key, the second waits for
            # nobody, and is told what it would be told by another process.
            if not locked or key.digest in seen:
                found[id(key)] = InProgress()
                continue
            seen.add(key.digest)
            try:
                answer = self._known(key, rows.get(key.digest))
            except (InProgress, KeyReused) as refusal:
                found[id(key)] = refusal
            else:
                if answer is not None:
                    found[id(key)] = answer
        return found

    async def _leased(self, key: IdempotencyKey, work: Work) -> EncodedResponse:
        async with self._db.transaction():
            if (known := await self._find(key)) is not None:
                return known
            until = await self._claim(key)
        try:
            answer = await work()
        except PASSING:
            # Only our own claim: after its end somebody else may have taken the key, or answered.
            # safeguard: a failed request drops its own lease alone
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

    async def _refused(self, key: IdempotencyKey, refusal: MarketError) -> EncodedResponse:
        """A refusal is an answer too, kept after the work it refused was rolled back."""
        answer = _kept(refusal)
        await self._keep(key, answer)
        return answer

    async def _find(self, key: IdempotencyKey) -> EncodedResponse | None:
        """The answer this key has, and None for the first to come. Raises KeyReused, InProgress."""
        # The lock lasts to the end of the transaction: a second request is told at once that the
        # first still runs, where waiting on the unique index would hold a connection meanwhile.
        # It is a statement of its own: the next one's snapshot must be younger than the lock.
        # safeguard: one request per Idempotency-Key
        if not await self._db.fetch_value("SELECT pg_try_advisory_xact_lock($1)", _lock(key)):
            raise InProgress
        row = await self._db.fetch_one(
            "SELECT fingerprint, answer, claimed_until FROM idempotency_keys WHERE digest = $1",
            key.digest,
        )
        return self._known(key, row)

    def _known(self, key: IdempotencyKey, row: Row | None) -> EncodedResponse | None:
        if row is None:
            return None
        # safeguard: fingerprint of an Idempotency-Key compared
        if not hmac.compare_digest(row["fingerprint"], key.fingerprint):
            raise KeyReused
        if row["answer"] is not None:
            return json.decode(self._cipher(key).decrypt(row["answer"]), type=EncodedResponse)
        # safeguard: a leased Idempotency-Key is in progress
        if is_ahead(row["claimed_until"], self._clock.now(), LEASE):
            raise InProgress
        return None

    async def _claim(self, key: IdempotencyKey) -> datetime:
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

    async def _keep(self, key: IdempotencyKey, answer: EncodedResponse) -> None:
        """Keeps the answer unless the key has one: the first stands."""
        await self._keep_all([(key, answer)])

    async def _keep_all(self, answered: Sequence[tuple[IdempotencyKey, EncodedResponse]]) -> None:
        if not answered:
            return
        # safeguard: the first stored response stands
        await self._db.execute(
            """
            INSERT INTO idempotency_keys (digest, fingerprint, claimed_until, created_at, answer)
            SELECT k.digest, k.fingerprint, $3, $3, k.answer
            FROM unnest($1::bytea[], $2::bytea[], $4::bytea[]) AS k (digest, fingerprint, answer)
            ON CONFLICT (digest) DO UPDATE SET answer = excluded.answer
                WHERE idempotency_keys.answer IS NULL
            """,
            [key.digest for key, _ in answered],
            [key.fingerprint for key, _ in answered],
            self._clock.now(),
            [self._cipher(key).encrypt(json.encode(answer)) for key, answer in answered],
        )

    async def purge_expired(self, limit: int = BATCH_SIZE) -> int:
        """Drops at most so many of the keys older than `RETENTION`; how many."""
        before = self._clock.now() - RETENTION
        return await drop(self._db, "idempotency_keys", "created_at < $1", limit, before)

    def _cipher(self, key: IdempotencyKey) -> Fernet:
        made_of = hmac.digest(self._secret, f"{key.owner}\0{key.text}".encode(), "sha256")
        return Fernet(base64.urlsafe_b64encode(made_of))


def _lock(key: IdempotencyKey) -> int:
    """The advisory lock that stands for a key."""
    return int.from_bytes(key.digest[:8], "big", signed=True)


def _kept(answer: EncodedResponse | MarketError) -> EncodedResponse:
    """A refusal as the answer it is."""
    if isinstance(answer, EncodedResponse):
        return answer
    problem = problems.of_market_error(answer)
    return EncodedResponse(problem.status, json.encode(problem), problem=True)
