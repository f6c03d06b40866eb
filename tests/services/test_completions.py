"""Buyers who say again and again that they have paid wait for each other's looks at no gateway but
their own, and hold up nobody."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from market.app import Market
from market.payments.completions import FREE, LONGEST_WAIT_S, PAUSE_S, Completions
from market.payments.domain import Payment, Status
from market.payments.limits import COMPLETE_BY_MEMBER, PaymentLimits
from market.payments.record import Snapshot
from market.shared.errors import NotFound, RateLimited
from market.shared.rate_limit import RateLimit
from tests.support.acts import Acts
from tests.support.gateway import MemoryGateway

LINES = 24


class Counting(MemoryGateway):
    """Counts looks."""

    looks = 0

    async def look(self, payment: Payment) -> Sequence[Snapshot]:
        self.looks += 1
        return await super().look(payment)


@dataclass
class Pauses:
    """A clock that moves when somebody pauses, and by nothing else."""

    at: float = 0.0
    pauses: list[float] = field(default_factory=list)
    over: asyncio.Event | None = None

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.pauses.append(seconds)
        if self.over is not None and seconds > 0:
            await self.over.wait()
        self.at += seconds
        await asyncio.sleep(0)


@dataclass
class Counted:
    """Lets so many turns be taken."""

    left: int
    taken: int = 0

    async def take(self, turns: Sequence[tuple[RateLimit, str]]) -> None:
        assert [limit for limit, _ in turns] == [COMPLETE_BY_MEMBER]
        if self.taken == self.left:
            raise RateLimited(retry_after=60)
        self.taken += 1


@pytest.fixture
def gateway() -> MemoryGateway:
    return Counting()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def turns() -> Counted:
    return Counted(1_000)


@pytest.fixture
def completions(market: Market, pauses: Pauses, turns: Counted) -> Completions:
    limits = PaymentLimits(turns)
    return Completions(market.payments, limits, sleep=pauses.sleep, now=pauses.now)


def looks(gateway: MemoryGateway) -> int:
    assert isinstance(gateway, Counting)
    return gateway.looks


async def test_buyers_who_ask_at_once_are_told_by_looks_that_began_after_they_asked(
    acts: Acts, completions: Completions, gateway: MemoryGateway
) -> None:
    payment = await acts.payment(await acts.trade())
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await go_on.wait()

    gateway.before_answer = hang

    def ask() -> "asyncio.Task[Payment]":
        return asyncio.create_task(completions.complete(payment.id, payment.payer))

    first = ask()
    await begun.wait()
    # The look that is under way saw nothing of this: whoever asks now is not told by it.
    gateway.pay(payment.id, payment.amount.amount)
    others = [ask() for _ in range(LINES - 1)]
    await asyncio.sleep(0)
    go_on.set()
    assert (await first).status is Status.READY
    assert {told.status for told in await asyncio.gather(*others)} == {Status.PAID}
    assert looks(gateway) == 2


async def test_looks_without_news_are_paced(
    acts: Acts, completions: Completions, gateway: MemoryGateway, pauses: Pauses
) -> None:
    payment = await acts.payment(await acts.trade())
    for _ in range(1 + FREE):  # what is told first is news
        await completions.complete(payment.id, payment.payer)
    assert pauses.pauses == []
    for _ in range(3):
        await completions.complete(payment.id, payment.payer)
    assert pauses.pauses == [PAUSE_S] * 3
    pauses.at += FREE * PAUSE_S
    await completions.complete(payment.id, payment.payer)
    assert pauses.pauses == [PAUSE_S] * 3


async def test_lines_that_ask_without_an_end_make_a_look_a_second(
    acts: Acts, completions: Completions, gateway: MemoryGateway, pauses: Pauses, turns: Counted
) -> None:
    payment = await acts.payment(await acts.trade())
    before, until = looks(gateway), 20 * PAUSE_S

    async def line() -> None:
        while pauses.at < until:
            await completions.complete(payment.id, payment.payer)

    await asyncio.gather(*(line() for _ in range(LINES)))
    made = looks(gateway) - before
    assert made <= until / PAUSE_S + FREE + 2
    assert turns.taken == made


async def test_other_buyers_are_not_held_up(
    acts: Acts, completions: Completions, pauses: Pauses
) -> None:
    one, other = [await acts.payment(await acts.trade()) for _ in range(2)]
    for _ in range(2 * FREE):
        await completions.complete(one.id, one.payer)
    before = len(pauses.pauses)
    await completions.complete(other.id, other.payer)
    assert len(pauses.pauses) == before


async def test_news_is_never_waited_for(
    acts: Acts, completions: Completions, gateway: MemoryGateway, pauses: Pauses
) -> None:
    trade = await acts.trade()
    payment = await acts.payment(trade)
    amount = payment.amount.amount
    await completions.complete(payment.id, payment.payer)
    gateway.pay(payment.id, amount)
    assert (await completions.complete(payment.id, payment.payer)).status is Status.PAID
    for _ in range(2 * FREE):
        gateway.give_back(payment.id, 1)
        await completions.complete(payment.id, payment.payer)
    assert pauses.pauses == []


async def test_whoever_would_wait_too_long_is_refused_and_not_at_once(
    acts: Acts, completions: Completions, gateway: MemoryGateway, pauses: Pauses
) -> None:
    seller, buyer = await acts.member(), await acts.member()
    many = int(LONGEST_WAIT_S / PAUSE_S) + 3
    payments = []
    for _ in range(many):
        product = await acts.product(seller)
        payments.append(await acts.payment(await acts.market.trades.buy(product.id, buyer)))
    for _ in range(1 + FREE):
        await completions.complete(payments[0].id, buyer.id)
    pauses.pauses.clear()
    pauses.over = asyncio.Event()
    asked = [completions.complete(payment.id, buyer.id) for payment in payments]
    asking = asyncio.gather(*asked, return_exceptions=True)
    await asyncio.sleep(0)  # all of them have asked
    assert not asking.done()
    pauses.over.set()
    answers = await asking
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert 0 < len(refused) < many
    assert all(refusal.retry_after > LONGEST_WAIT_S for refusal in refused)
    assert pauses.pauses.count(PAUSE_S) >= len(refused)


async def test_a_member_beyond_the_limit_is_refused_once_in_a_pause(
    acts: Acts, completions: Completions, gateway: MemoryGateway, pauses: Pauses, turns: Counted
) -> None:
    payment = await acts.payment(await acts.trade())
    turns.left = 0
    before = looks(gateway)
    for _ in range(FREE + 3):
        with pytest.raises(RateLimited):
            await completions.complete(payment.id, payment.payer)
    assert looks(gateway) == before
    assert pauses.pauses == [PAUSE_S] * 3


async def test_a_refusal_is_told_to_all_who_asked(acts: Acts, completions: Completions) -> None:
    payment = await acts.payment(await acts.trade())
    stranger = await acts.member()
    asked = [completions.complete(payment.id, stranger.id) for _ in range(3)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in told] == [NotFound] * 3


async def test_whoever_waits_for_a_request_that_went_away_is_told_all_the_same(
    acts: Acts, completions: Completions, gateway: MemoryGateway
) -> None:
    payment = await acts.payment(await acts.trade())
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await go_on.wait()

    gateway.before_answer = hang
    first, second, third = [
        asyncio.create_task(completions.complete(payment.id, payment.payer)) for _ in range(3)
    ]
    await begun.wait()  # the first looks; the second is to look next, for the third as well
    second.cancel()
    go_on.set()
    assert (await first).id == (await third).id == payment.id
    assert second.cancelled()


async def test_a_token_is_used_by_the_request_that_brought_it(
    acts: Acts, completions: Completions, turns: Counted
) -> None:
    payment = await acts.payment(await acts.trade())
    looked, charged = await asyncio.gather(
        completions.complete(payment.id, payment.payer),
        completions.complete(payment.id, payment.payer, "token"),
    )
    assert looked.status is Status.READY
    assert charged.status is Status.PAID
    assert turns.taken == 2


async def test_nothing_is_kept_of_buyers_who_ask_no_more(
    acts: Acts, completions: Completions, pauses: Pauses
) -> None:
    payment = await acts.payment(await acts.trade())
    for _ in range(FREE + 2):
        await completions.complete(payment.id, payment.payer)
    completions.forget_rested()
    assert completions.buyers == 1
    pauses.at += 2 * FREE * PAUSE_S
    completions.forget_rested()
    assert completions.buyers == 0
