"""One round: a crowd, a kill, whatever starts again, and what must hold afterwards."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from market.app import Market, assemble
from market.kit.clock import TimeOrderedIds
from market.kit.db.database import Database
from market.members.auth.tokens import JwtTokens
from market.members.domain import AccessClaims
from market.outside import portone
from market.settings import from_environment
from market.shared.ids import MemberId, SessionId
from market.verify import broken
from tests.support.clock import MovableClock
from tests.support.processes import SECRET
from tests.support.web import in_process

from .crowd import PART, PRICE, SCRIPTS, Asked, Client, Member, Memory, Told, play
from .points import POINTS, Point, arm, disarm
from .town import PATIENCE_S, PAUSE_S, Town

# Beyond every claim of a key, every hold, and the first tries of everything.
SETTLING = (timedelta(minutes=6), timedelta(hours=2), timedelta(hours=2))
LONG = timedelta(days=30)

Kill = Callable[[Town], None]


@dataclass(frozen=True)
class Round:
    """What was killed, and what it came to."""

    number: int
    version: str
    victim: str
    reached: bool
    told: int
    repeats: int
    unanswered: int
    wrong: list[str]


def _end_database(town: Town, how: signal.Signals) -> None:
    town.postgres.end(how)
    town.postgres.start()


def _end_gateway(town: Town) -> None:
    town.sandbox.end(signal.SIGKILL)
    town.sandbox.start()


# What is killed from outside, in the middle of the crowd's doings.
OUTSIDERS: Mapping[str, Kill] = {
    "PostgreSQL, SIGKILL": lambda town: _end_database(town, signal.SIGKILL),
    "PostgreSQL, immediate stop": lambda town: _end_database(town, signal.SIGQUIT),
    "the sandbox, SIGKILL": _end_gateway,
    "the server with its worker processes, SIGKILL": lambda town: town.kill("server"),
    "the worker, SIGKILL": lambda town: town.kill("worker"),
}


def victims(rounds: int, seed: int) -> list[Point | str]:
    """Every point in turn, in an order that the seed gives, and outsiders between them."""
    chance = random.Random(seed)  # noqa: S311 # no secret
    points: list[Point | str] = list(POINTS)
    others: list[Point | str] = list(OUTSIDERS)
    chance.shuffle(points)
    chance.shuffle(others)
    chosen: list[Point | str] = []
    for number in range(rounds):
        pool = others if number % 4 == 3 else points
        chosen.append(pool[0])
        pool.append(pool.pop(0))
    return chosen


async def play_round(town: Town, number: int, victim: Point | str, chance: random.Random) -> Round:
    """Lets a crowd loose, kills in the middle, and judges what is left."""
    await asyncio.to_thread(town.until_ready)
    async with (
        httpx.AsyncClient(base_url=town.url, timeout=PATIENCE_S, trust_env=False) as http,
        httpx.AsyncClient(base_url=town.sandbox.url, timeout=PATIENCE_S, trust_env=False) as bank,
    ):
        memory = Memory()
        clients = await gather(town, http, bank, memory)
        scripts = list(SCRIPTS)
        chance.shuffle(scripts)
        if isinstance(victim, Point):
            arm(town.armed, victim, 1 if victim.is_rare else chance.randint(1, 2), number)
        crowd = asyncio.gather(*map(play, scripts, clients))
        watch = asyncio.create_task(keep_up(town, crowd))
        if isinstance(victim, str):
            await until_told(memory, chance.randint(4, 16), crowd)
            await asyncio.to_thread(OUTSIDERS[victim], town)
        await crowd
        await watch
        reached = True
        if isinstance(victim, Point):
            reached = await asyncio.to_thread(wait_for_fall, town, victim)
        wrong = await judge(town, memory)
    return Round(
        number=number,
        version=town.version,
        victim=str(victim),
        reached=reached,
        told=len(memory.told),
        repeats=memory.repeats,
        unanswered=len(memory.unanswered),
        wrong=[*memory.strange, *wrong],
    )


def wait_for_fall(town: Town, victim: Point) -> bool:
    """What the worker does by itself it does within seconds, or when the hold has run out."""
    wait_s = 0.0 if victim.role == "server" else 15.0 if "expire_hold" in victim.name else 4.0
    deadline = time.monotonic() + wait_s
    while town.armed.exists() and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    reached = disarm(town.armed)
    town.revive()
    return reached


async def keep_up(town: Town, crowd: "asyncio.Future[Any]") -> None:
    """Starts what falls, for as long as the crowd is there."""
    while not crowd.done():
        await asyncio.to_thread(town.revive)
        await asyncio.wait({crowd}, timeout=0.2)


async def until_told(memory: Memory, count: int, crowd: "asyncio.Future[Any]") -> None:
    """Returns when so many answers were given, or when no more will be."""

    async def enough() -> None:
        async with memory.heard:
            await memory.heard.wait_for(lambda: len(memory.told) >= count)

    waiting = asyncio.create_task(enough())
    await asyncio.wait({waiting, crowd}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def gather(
    town: Town, http: httpx.AsyncClient, bank: httpx.AsyncClient, memory: Memory
) -> list[Client]:
    """A buyer for every script, all at one seller's one product."""
    db = await asyncpg.connect(town.dsn)
    try:
        seller = await member(db)
        product = uuid4()
        await db.execute(
            "INSERT INTO products (id, seller_id, name, description, price, currency, quantity,"
            " created_at) VALUES ($1, $2, 'chair', '', $3, 'KRW', $4, now())",
            product,
            seller.id,
            PRICE,
            len(SCRIPTS),
        )
        return [Client(http, bank, await member(db), seller, product.hex, memory) for _ in SCRIPTS]
    finally:
        await db.close()


async def member(db: Any) -> Member:
    """Somebody new with a session, written straight into the tables: signing up is not tried."""
    now, id, session = datetime.now(UTC), uuid4(), uuid4()
    await db.execute(
        "INSERT INTO members (id, email, nickname, password_hash, created_at)"
        " VALUES ($1, $2, 'someone', 'no password', $3)",
        id,
        f"{id.hex}@example.com",
        now,
    )
    await db.execute("INSERT INTO sessions VALUES ($2, $1, $2, $3)", id, session, now + LONG)
    claims = AccessClaims(MemberId(id.hex), SessionId(session.hex))
    return Member(id.hex, JwtTokens(SECRET).sign_access(claims, now, now + LONG))


@asynccontextmanager
async def market_of(town: Town, clock: MovableClock) -> AsyncIterator[Market]:
    """The same market, in this process, by a clock that can be moved."""
    settings = from_environment(town.environment | {"PORTONE_VERSION": town.version})
    db = await Database.connect(town.dsn, size=5, name="test")
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as client:
        gateways = portone(settings, client, client, clock)
        yield assemble(settings, db, gateways, clock, TimeOrderedIds())
    await db.close()


async def judge(town: Town, memory: Memory) -> list[str]:
    """Settles everything, repeats what had no answer, and names what does not hold."""
    clock = MovableClock()
    await asyncio.to_thread(town.until_ready)
    async with market_of(town, clock) as market:
        for step in SETTLING:
            clock.move(seconds=step.total_seconds())
            await market.sweep.everything()
        wrong: list[str] = []
        async with in_process(market) as door:
            for asked in memory.unanswered:
                wrong += await ask_again(door.http, asked, memory)
        for step in SETTLING:
            clock.move(seconds=step.total_seconds())
            await market.sweep.everything()
        wrong += [str(found) for found in await broken(market.db)]
        wrong += await not_at_an_end(market.db)
        wrong += await not_as_the_gateway_says(market.db, town)
        for told in memory.told:
            wrong += await not_as_told(market.db, told)
        wrong += await more_than_was_asked(market.db, memory)
        return wrong


async def ask_again(http: httpx.AsyncClient, asked: Asked, memory: Memory) -> list[str]:
    """By now there must be an answer."""
    response = await asked.send(http)
    answer = response.json()
    if response.status_code >= 500 or answer.get("code") == "idempotency_in_progress":
        return [f"no answer even now: {asked.path} {response.status_code} {answer}"]
    memory.told.append(Told(asked, response.status_code, answer))
    return []


async def not_at_an_end(db: Database) -> list[str]:
    """What still waits, though nothing more will come."""
    rows = await db.fetch(
        """
        SELECT 'trade' AS what, id, status FROM trades WHERE status = 'AWAITING_PAYMENT'
        UNION ALL
        SELECT 'payment', id, status FROM payments
        WHERE status IN ('READY', 'VIRTUAL_ACCOUNT_ISSUED')
        UNION ALL
        SELECT 'cancellation', id, status FROM cancellations
        WHERE status <> 'SUCCEEDED' AND NOT (status = 'REQUESTED' AND try_at IS NULL)
        """
    )
    return [f"not at an end: {dict(row)}" for row in rows]


async def not_as_the_gateway_says(db: Database, town: Town) -> list[str]:
    """Money came and went there as it did here, payment by payment, both ways."""
    async with httpx.AsyncClient(base_url=town.sandbox.url, trust_env=False) as http:
        shown = (await http.get("/control/payments", timeout=PATIENCE_S)).json()["items"]
    there = sorted(
        (one["order_id"], one["amount"], one["cancelled"]) for one in shown if one["paid_at"]
    )
    rows = await db.fetch(
        "SELECT id, captured_amount, cancelled_amount FROM payments"
        " WHERE captured_amount IS NOT NULL"
    )
    here = sorted((row["id"], row["captured_amount"], row["cancelled_amount"]) for row in rows)
    return [f"only there: {one}" for one in there if one not in here] + [
        f"only here: {one}" for one in here if one not in there
    ]


# What may be said no to, though nobody did wrong: the unit was given up while nobody answered.
LATE = {"hold_expired", "invalid_transition"}


async def not_as_told(db: Database, told: Told) -> list[str]:
    """Where an answer is not, or no longer, what became of it (Q3)."""
    path, answer = told.asked.path, told.answer
    if told.status >= 400:
        if answer["code"] in LATE:
            return []
        return [f"told no: {path} {told.status} {answer['code']}"]
    id = answer["id"]
    trade = await db.fetch_one("SELECT * FROM trades WHERE id = $1", answer.get("trade_id", id))
    payment = await db.fetch_one("SELECT * FROM payments WHERE id = $1", id)
    if trade is None or (payment is None and "trade_id" in answer):
        return [f"told of what is not there: {path} {id}"]
    holds = _AFTER[path.rpartition("/")[2]](answer, trade, payment)
    return [] if holds else [f"told otherwise: {path} {answer} {dict(trade)} {payment}"]


def _bought(answer: Any, trade: Any, _: Any) -> bool:
    return bool(trade["price"] == answer["price"])


def _started(answer: Any, _: Any, payment: Any) -> bool:
    shown = answer["virtual_account"]
    return shown is None or bool(payment["account_number"] == shown["number"])


def _looked(answer: Any, _: Any, payment: Any) -> bool:
    took_money = answer["status"] in {"PAID", "PARTIALLY_CANCELLED", "CANCELLED"}
    returned: int = payment["cancelled_amount"]
    return not took_money or (
        payment["captured_amount"] is not None and returned >= answer["cancelled_amount"]
    )


def _approved(_: Any, trade: Any, __: Any) -> bool:
    return trade["approved_at"] is not None


def _confirmed(_: Any, trade: Any, __: Any) -> bool:
    return bool(trade["status"] == "PURCHASE_CONFIRMED")


def _cancelled(answer: Any, trade: Any, payment: Any) -> bool:
    if payment is None:
        return bool(trade["status"] == "CANCELLED")
    returned: int = payment["cancelled_amount"]
    return bool(returned >= max(PART, answer["cancelled_amount"]))


_AFTER: Mapping[str, Callable[[Any, Any, Any], bool]] = {
    "trades": _bought,
    "payment": _started,
    "complete": _looked,
    "approve": _approved,
    "confirm": _confirmed,
    "cancel": _cancelled,
}


async def more_than_was_asked(db: Database, memory: Memory) -> list[str]:
    """Who asked for a part, once, got that part: a repeat is not another wish."""
    wrong = []
    for told in memory.told:
        body = told.asked.body
        if isinstance(body, dict) and body.get("amount") == PART and told.status < 300:
            returned = await db.fetch_value(
                "SELECT cancelled_amount FROM payments WHERE id = $1", told.answer["id"]
            )
            if returned != PART:
                wrong.append(f"asked for {PART} of {told.answer['id']}, got {returned}")
    return wrong
