"""Members, sessions and goods, made in bulk, and the buyers' tokens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.load import request
from bench.stand import SECRET, Database
from market.members.auth.tokens import JwtTokens
from market.members.domain import AccessClaims
from market.shared.ids import MemberId, SessionId

BUYERS = 60_000
SPREAD = 10_000  # products 1 … SPREAD; the hot ones are above
HOT = 20_000
# Of a prime step, so that neighbours in time are no neighbours on disk; and another start for each
# phase, so that no buyer meets a product twice (R8).
STEP, SHIFT = 7919, 13

MEMBER, PRODUCT = 0xA, 0xB
_ID = "('{kind:08x}-0000-7000-8000-' || lpad(to_hex(({number})::bigint), 12, '0'))::uuid"

SEED = (
    f"""
    INSERT INTO members (id, email, nickname, password_hash, created_at)
    SELECT {_ID.format(kind=MEMBER, number="n")}, n || '@bench.example', 'm' || n, '-', now()
    FROM generate_series(0, {BUYERS}) n
    """,
    """
    INSERT INTO sessions (id, member_id, current_token_id, expires_at)
    SELECT id, id, id, now() + interval '1 day' FROM members
    """,
    f"""
    INSERT INTO products (id, seller_id, name, description, price, currency, quantity, created_at)
    SELECT {_ID.format(kind=PRODUCT, number="n")}, {_ID.format(kind=MEMBER, number=0)},
           '의자 ' || n, 'solid', 45000, 'KRW', 1000000, now()
    FROM (SELECT generate_series(1, {SPREAD})
          UNION SELECT generate_series({HOT}, {HOT + 200})) p (n)
    """,
    "VACUUM ANALYZE",
)


def member_id(number: int) -> str:
    return f"{MEMBER:08x}000070008000{number:012x}"


def product_id(number: int) -> str:
    return f"{PRODUCT:08x}000070008000{number:012x}"


def sql_id(kind: int, number: str) -> str:
    return _ID.format(kind=kind, number=number)


def tokens(first: int = 1, last: int = BUYERS) -> list[str]:
    """Access tokens of members first … last, each with a session; member 0 sells everything."""
    signer, now = JwtTokens(SECRET), datetime.now(UTC)
    until = now + timedelta(hours=12)
    return [
        signer.sign_access(
            AccessClaims(MemberId(member_id(n)), SessionId(member_id(n))), now, until
        )
        for n in range(first, last + 1)
    ]


def product_of(purchase: int, phase: int, *, hot: bool) -> int:
    """Which product a phase's n-th purchase is of; pgbench's script counts the same way."""
    return HOT + phase if hot else (purchase * STEP + phase * SHIFT) % SPREAD + 1


class Presses:
    """Every buyer presses once per phase."""

    def __init__(self) -> None:
        self._tokens = tokens()
        self.phase = 0

    def next_phase(self) -> int:
        self.phase += 1
        return self.phase

    def requests(self, *, hot: bool, keyed: bool = False) -> Iterator[bytes]:
        """One phase of purchases, as HTTP requests."""
        phase = self.next_phase()
        for purchase, token in enumerate(self._tokens):
            product = product_id(product_of(purchase, phase, hot=hot))
            press = request("POST", f"/api/products/{product}/trades", token)
            if keyed:
                key = f"idempotency-key: {phase}-{purchase}\r\n\r\n".encode()
                press = press.removesuffix(b"\r\n") + key
            yield press


async def seed(database: Database) -> None:
    await database.execute(*SEED)
