"""Many members at once, spread over the servers, let loose at one instant.

The barrier is the database's own: the test holds the product's row until enough of them stand
before it, and then lets go. Nobody sleeps and nothing in the market is patched.
"""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx

from market.members.auth.tokens import JwtTokens
from market.members.domain import AccessClaims
from market.shared.ids import MemberId, SessionId
from tests.support.barrier import at_once
from tests.support.processes import SECRET, RunningMarket

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
PATIENCE_S = 60
LONG = timedelta(hours=1)


@dataclass(frozen=True)
class Member:
    """Somebody with a good token, who comes in at one of the servers."""

    id: str
    token: str
    http: httpx.AsyncClient

    async def post(self, path: str, **headers: str) -> httpx.Response:
        headers["Authorization"] = f"Bearer {self.token}"
        return await self.http.post(path, headers=headers)


class Crowd:
    """Makes members and goods quickly, and holds them back until all are there."""

    def __init__(
        self, servers: Sequence[httpx.AsyncClient], connection: Connection, dsn: str
    ) -> None:
        self._servers = servers
        self._dsn = dsn
        self.db = connection

    @classmethod
    @asynccontextmanager
    async def gather(cls, market: RunningMarket, connection: Connection) -> AsyncIterator["Crowd"]:
        async with AsyncExitStack() as stack:
            limits = httpx.Limits(max_connections=None)
            servers = [
                await stack.enter_async_context(
                    httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits)
                )
                for url in market.servers
            ]
            yield cls(servers, connection, market.dsn)

    async def members(self, count: int) -> list[Member]:
        """New members with sessions, written straight into the tables: signing up is no race."""
        now = datetime.now(UTC)
        made = [(uuid4(), uuid4()) for _ in range(count)]
        await self.db.executemany(
            "INSERT INTO members VALUES ($1, $2, 'someone', 'no password', $3)",
            [(member, f"{member.hex}@example.com", now) for member, _ in made],
        )
        await self.db.executemany(
            "INSERT INTO sessions VALUES ($2, $1, $2, $3)",
            [(member, session, now + LONG) for member, session in made],
        )
        tokens = JwtTokens(SECRET)
        return [
            Member(
                member.hex,
                tokens.sign_access(
                    AccessClaims(MemberId(member.hex), SessionId(session.hex)), now, now + LONG
                ),
                self._servers[number % len(self._servers)],
            )
            for number, (member, session) in enumerate(made)
        ]

    async def product(
        self, seller: Member, quantity: int, taken: int = 0, confirmed: int = 0
    ) -> str:
        id = uuid4()
        await self.db.execute(
            """
            INSERT INTO products (id, seller_id, name, description, price, currency, quantity,
                                  taken, confirmed, created_at)
            VALUES ($1, $2, 'chair', '', 1000, 'KRW', $3, $4, $5, now())
            """,
            id,
            seller.id,
            quantity,
            taken,
            confirmed,
        )
        return id.hex

    async def approved_trades(
        self, seller: Member, buyers: Sequence[Member], *, confirmed: int
    ) -> tuple[str, list[str]]:
        """A product sold to all these buyers: the first `confirmed` have confirmed, the rest may.

        Every row is there that the services would have left, books included: the product's id,
        and the ids of the trades that are still to be confirmed.
        """
        product = await self.product(seller, len(buyers), len(buyers), confirmed)
        trades: list[str] = []
        for number, buyer in enumerate(buyers):
            trade, payment = uuid4().hex, uuid4().hex
            done = number < confirmed
            await self.db.execute(_PAID_TRADE, trade, product, seller.id, buyer.id)
            await self.db.execute(_PAYMENT, payment, trade, buyer.id)
            await self.db.execute(
                _APPROVED, trade, payment, "PURCHASE_CONFIRMED" if done else "SALE_APPROVED"
            )
            await self._book("CAPTURED", payment, "gateway", "escrow", 1000)
            if done:
                await self._book("SETTLED", trade, "escrow", f"seller:{seller.id}", 1000)
            else:
                trades.append(trade)
        return product, trades

    async def _book(self, kind: str, source: str, debit: str, credit: str, amount: int) -> None:
        await self.db.execute(
            "INSERT INTO transfers (kind, source, debit, credit, amount, currency, occurred_at)"
            " VALUES ($1, $2, $3, $4, $5, 'KRW', now())",
            kind,
            source,
            debit,
            credit,
            amount,
        )

    async def at_once(
        self, product: str, acts: Sequence[Awaitable[httpx.Response]], *, waiting: int
    ) -> list[httpx.Response]:
        """Lets all act while the product's row is held, until `waiting` of them stand before it."""
        answers = await at_once(self._dsn, "products", product, *acts, waiting=waiting)
        assert all(isinstance(answer, httpx.Response) for answer in answers), answers
        return answers

    async def shown(self, product: str) -> dict[str, Any]:
        """The product as anyone sees it."""
        answer = await self._servers[0].get(f"/api/products/{product}")
        return dict(answer.json())


_PAID_TRADE = """
    INSERT INTO trades (id, product_id, product_name, seller_id, buyer_id, price, fee, currency,
                        status, hold_expires_at, created_at)
    VALUES ($1, $2, 'chair', $3, $4, 1000, 0, 'KRW', 'AWAITING_PAYMENT',
            now() + interval '1 hour', now())
"""
_PAYMENT = """
    INSERT INTO payments (id, trade_id, payer_id, title, gateway, method, amount, currency, status,
                          captured_amount, captured_currency, created_at, paid_at, reference)
    VALUES ($1::uuid, $2, $3, 'chair', 'V1', 'CARD', 1000, 'KRW', 'PAID', 1000, 'KRW', now(), now(),
            'imp_' || $1::uuid)
"""
_APPROVED = """
    UPDATE trades SET payment_id = $2, status = $3, paid_at = now(), approved_at = now(),
                      confirmed_at = CASE WHEN $3 = 'PURCHASE_CONFIRMED' THEN now() END
    WHERE id = $1
"""
