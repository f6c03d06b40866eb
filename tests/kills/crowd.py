"""Members who buy, pay, confirm and call off through HTTP, and remember what they were told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.kills.town import PATIENCE_S, PAUSE_S

PRICE = 10_000
PART = 4_000
MINE = {"bank": "SHINHAN", "number": "110-123-456789", "holder": "김보라"}
TRIES = 400
_BAD_GATEWAY, _UNAVAILABLE, _SERVER_ERROR = 502, 503, 500


@dataclass(frozen=True)
class Asked:
    """A request that changes something, under its key, for as long as it has no answer."""

    token: str
    path: str
    body: Any
    key: str

    async def send(self, http: httpx.AsyncClient) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": self.key}
        return await http.post(self.path, json=self.body, headers=headers)


@dataclass(frozen=True)
class Told:
    """A request and the answer that its sender goes by."""

    asked: Asked
    status: int
    answer: Any


@dataclass
class Memory:
    """What a round's members were told, and what they still wait to hear."""

    told: list[Told] = field(default_factory=list)
    unanswered: list[Asked] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    repeats: int = 0
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)


class Unanswered(Exception):
    """The member gives up for today."""


class Refused(Exception):
    """The market said no, and the member goes home."""


@dataclass
class Member:
    """Somebody with a good token."""

    id: str
    token: str


@dataclass
class Client:
    """One buyer and the seller of what they buy."""

    http: httpx.AsyncClient
    sandbox: httpx.AsyncClient
    buyer: Member
    seller: Member
    product: str
    memory: Memory

    async def ask(self, who: Member, path: str, body: Any = None) -> Any:
        """Asks until there is an answer, always under the same key."""
        asked = Asked(who.token, path, body, uuid4().hex)
        for _ in range(TRIES):
            try:
                response = await asked.send(self.http)
            except httpx.TransportError:
                self.memory.repeats += 1
                await asyncio.sleep(PAUSE_S)
                continue
            if response.status_code in {_BAD_GATEWAY, _UNAVAILABLE}:
                self.memory.repeats += 1
                await asyncio.sleep(PAUSE_S)
                continue
            return await self._heard(asked, response)
        self.memory.unanswered.append(asked)
        raise Unanswered

    async def _heard(self, asked: Asked, response: httpx.Response) -> Any:
        answer = response.json()
        if answer.get("code") == "idempotency_in_progress":
            # The first try died with its claim, which lapses in some minutes.
            self.memory.unanswered.append(asked)
            raise Unanswered
        if response.status_code >= _SERVER_ERROR:
            self.memory.strange.append(f"{asked.path}: {response.status_code} {answer}")
            self.memory.unanswered.append(asked)
            raise Unanswered
        async with self.memory.heard:
            self.memory.told.append(Told(asked, response.status_code, answer))
            self.memory.heard.notify_all()
        if not response.is_success:
            raise Refused
        return answer

    async def control(self, path: str, body: Any) -> None:
        """At the gateway's window, which may be shut for a moment."""
        for _ in range(TRIES):
            try:
                await self.sandbox.post(f"/control/{path}", json=body)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE_S)
            else:
                return

    # ── what they do ──

    async def buy(self) -> str:
        trade = await self.ask(self.buyer, f"/api/products/{self.product}/trades")
        return str(trade["id"])

    async def pay_by_card(self, trade: str, **how: Any) -> str:
        started = await self.ask(self.buyer, f"/api/trades/{trade}/payment", {"method": "CARD"})
        await self.control("pay", {"payment_id": started["id"], **how})
        await self.ask(self.buyer, f"/api/payments/{started['id']}/complete")
        return str(started["id"])

    async def issue(self, trade: str) -> Any:
        means = {"method": "VIRTUAL_ACCOUNT", "bank": "KOOKMIN"}
        return await self.ask(self.buyer, f"/api/trades/{trade}/payment", means)

    async def deposit(self, trade: str) -> str:
        started = await self.issue(trade)
        number = started["virtual_account"]["number"]
        await self.control("deposit", {"account_number": number, "amount": PRICE})
        await self.ask(self.buyer, f"/api/payments/{started['id']}/complete")
        return str(started["id"])

    async def conclude(self, trade: str) -> None:
        await self.ask(self.seller, f"/api/trades/{trade}/approve")
        await self.ask(self.buyer, f"/api/trades/{trade}/confirm")

    async def call_off(self, trade: str, **more: Any) -> None:
        body = {"reason": "변심", **more}
        await self.ask(self.buyer, f"/api/trades/{trade}/cancel", body)

    async def take_part_back(self, payment: str, **more: Any) -> None:
        body = {"reason": "흠집", "amount": PART, **more}
        await self.ask(self.buyer, f"/api/payments/{payment}/cancel", body)


Script = Callable[[Client], Awaitable[None]]


async def buys_by_card(client: Client) -> None:
    trade = await client.buy()
    await client.pay_by_card(trade)
    await client.conclude(trade)


async def calls_off_what_was_paid(client: Client) -> None:
    trade = await client.buy()
    await client.pay_by_card(trade)
    await client.call_off(trade)


async def takes_part_back(client: Client) -> None:
    trade = await client.buy()
    await client.take_part_back(await client.pay_by_card(trade))


async def calls_off_what_was_deposited(client: Client) -> None:
    trade = await client.buy()
    await client.deposit(trade)
    await client.call_off(trade, refund_account=MINE)


async def takes_part_of_a_deposit_back(client: Client) -> None:
    trade = await client.buy()
    await client.take_part_back(await client.deposit(trade), refund_account=MINE)


async def deposits_nothing(client: Client) -> None:
    trade = await client.buy()
    await client.issue(trade)
    await client.call_off(trade)


async def pays_too_little(client: Client) -> None:
    """The worker sends it back."""
    trade = await client.buy()
    await client.pay_by_card(trade, amount=PRICE - 1)


async def never_pays(client: Client) -> None:
    """The worker ends the hold."""
    trade = await client.buy()
    await client.ask(client.buyer, f"/api/trades/{trade}/payment", {"method": "CARD"})


SCRIPTS: tuple[Script, ...] = (
    buys_by_card,
    calls_off_what_was_paid,
    takes_part_back,
    calls_off_what_was_deposited,
    takes_part_of_a_deposit_back,
    deposits_nothing,
    pays_too_little,
    never_pays,
)


async def play(script: Script, client: Client) -> None:
    """A member's day, to its end or to where nobody answers any more."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await script(client)
    except (Unanswered, Refused):
        pass
