"""Sales in a market of this process, made quickly, and what all of it looks like in the tables."""

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from market.app import Market
from tests.support.gateway import MemoryGateway
from tests.support.web import Client

_numbers = count()
_ID = re.compile(r"(ref)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
_NUMBERED = re.compile(r"\b(someone\d|sorneone[\dio]|new[\dio])[\dio]*\b|^\(\d+,|\$argon2id[^\"]+")


async def member(market: Market, http: httpx.AsyncClient) -> Client:
    """Signed in without the work that a password makes."""
    name = f"someone{next(_numbers)}"
    email = f"{name}@example.com"
    member, pair = await market.members.sign_up(email, "no password", name)
    return Client(http, pair.access_token, pair.refresh_token, member.id, email, name)


@dataclass
class Sale:
    """One of two units is sold and paid for by card; a stranger looks on."""

    nobody: Client
    stranger: Client
    buyer: Client
    seller: Client
    operator: Client
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def made(cls, market: Market, gateway: MemoryGateway, http: httpx.AsyncClient) -> "Sale":
        seller, buyer, stranger, operator = [await member(market, http) for _ in range(4)]
        await market.members.set_operator(operator.email, "the owner", "to try it", operator=True)
        product = (await seller.product(quantity=2))["id"]
        trade = (await buyer.buy(product))["id"]
        payment = (await buyer.post(f"/api/trades/{trade}/payment", {"method": "CARD"}))["id"]
        gateway.pay(payment, 1000)
        await buyer.post(f"/api/payments/{payment}/complete")
        ids = {"product_id": product, "trade_id": trade, "payment_id": payment}
        ids["provider"] = "kakao"
        return cls(Client(http), stranger, buyer, seller, operator, ids)

    def of(self, role: str) -> Client:
        who: Client = getattr(self, role)
        return who


# Keys and sign-ins come and go with every request.
_IGNORED = {"sessions", "idempotency_keys", "alembic_version"}


async def rows(market: Market) -> Counter[tuple[str, str]]:
    """Every row of every table that tells what members have and owe, ids and times left out."""
    tables = await market.db.fetch(
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    found: Counter[tuple[str, str]] = Counter()
    for name in sorted({row["name"] for row in tables} - _IGNORED):
        if not name.startswith("pgqueuer"):
            texts = await market.db.fetch(f'SELECT t::text AS row FROM "{name}" t')  # noqa: S608
            found.update((name, plain(row["row"])) for row in texts)
    return found


def plain(row: str) -> str:
    return _NUMBERED.sub("#", _MOMENT.sub("WHEN", _ID.sub("ID", row)))


def filled(template: Any, sale: Sale, who: Client) -> Any:
    """A body with the words that depend on who sends it."""
    if isinstance(template, dict):
        return {name: filled(value, sale, who) for name, value in template.items()}
    if isinstance(template, str):
        return template.format(refresh=who.refresh_token, new=f"new{next(_numbers)}", **sale.ids)
    return template
