"""Virtual accounts on both versions: issued, deposited, closed, refunded (P6)."""

from datetime import datetime, timedelta

import pytest

from market.payments.domain import DepositedTwice, Means, Method, Payment, Status
from market.payments.ports import GatewayRefused, OutcomeUnknown
from market.payments.record import Seen
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import CancellationId
from market.shared.principals import Party

from .sides import IDS, Side, V1Side

MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")


def due(side: Side) -> datetime:
    return side.clock.now() + timedelta(hours=24)


def asked(side: Side) -> Payment:
    payment = side.payment()
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
    payment.method, payment.bank = means.method, means.bank
    return payment


async def issued(side: Side) -> Payment:
    payment = asked(side)
    await side.gateway.issue_account(payment, due(side))
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    return payment


def deposit(side: Side, payment: Payment, amount: int = 1000) -> None:
    assert payment.account is not None
    body = {"account_number": payment.account.number, "amount": amount}
    side.portone.control("POST", "deposit", body)


async def test_an_account_is_issued_at_the_bank_and_until_the_time_we_say(side: Side) -> None:
    payment = await issued(side)
    assert payment.status is Status.VIRTUAL_ACCOUNT_ISSUED
    assert payment.account is not None
    assert (payment.account.bank, payment.account.due_at) == (Bank.KOOKMIN, due(side))
    assert payment.account.number


async def test_a_deposit_is_seen_as_payment(side: Side) -> None:
    payment = await issued(side)
    deposit(side, payment)
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    assert (payment.status, payment.cancellable) == (Status.PAID, 1000)


async def test_an_issue_whose_answer_was_lost_shows_in_the_record(side: Side) -> None:
    payment = asked(side)
    path = {"V1": "/vbanks", "V2": f"/payments/{payment.id}/instant"}[side.version]
    side.portone.fault("timeout_after", version=side.version, path=path)
    with pytest.raises(OutcomeUnknown):
        await side.gateway.issue_account(payment, due(side))
    assert (await side.seen(payment)).account is not None


async def test_a_closed_account_takes_no_deposit(side: Side) -> None:
    payment = await issued(side)
    reference = (await side.seen(payment)).reference
    await side.gateway.close_account(payment, reference)
    assert payment.account is not None
    body = {"account_number": payment.account.number, "amount": 1000}
    side.portone.control("POST", "deposit", body, status=409)
    seen = await side.seen(payment)
    assert seen.state is not Seen.PAID
    with pytest.raises(GatewayRefused):
        await side.gateway.close_account(payment, reference)


async def test_a_paid_account_cannot_be_closed(side: Side) -> None:
    payment = await issued(side)
    deposit(side, payment)
    with pytest.raises(GatewayRefused):
        await side.gateway.close_account(payment, (await side.seen(payment)).reference)


async def test_a_deposit_goes_back_to_the_account_we_name(side: Side) -> None:
    payment = await issued(side)
    deposit(side, payment)
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    id, now = CancellationId(IDS.new()), side.clock.now()
    wish = payment.cancel(id, None, "변심", Party.BUYER, now, MINE)
    await side.gateway.cancel(payment, wish)
    assert await side.returned(payment) == 1000


async def test_without_an_account_nothing_goes_back(side: Side) -> None:
    payment = await issued(side)
    deposit(side, payment)
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    wish = payment.cancel(
        CancellationId(IDS.new()), None, "늦은 입금", Party.MARKET, side.clock.now()
    )
    with pytest.raises(GatewayRefused):
        await side.gateway.cancel(payment, wish)
    assert await side.returned(payment) == 0


async def test_a_second_deposit_is_turned_back_by_the_bank(side: Side) -> None:
    payment = await issued(side)
    deposit(side, payment)
    assert payment.account is not None
    body = {"account_number": payment.account.number, "amount": 1000}
    side.portone.control("POST", "deposit", body, status=409)
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    assert (payment.status, payment.cancellable) == (Status.PAID, 1000)


async def test_v1_tells_of_a_second_deposit_that_a_bank_lets_through(v1: V1Side) -> None:
    v1.portone.control("PUT", "settings", {"extra_deposit": "record"})
    payment = await issued(v1)
    deposit(v1, payment)
    payment.apply(await v1.seen(payment), v1.clock.now(), v1.gateway.till)
    deposit(v1, payment)
    events = payment.apply(await v1.seen(payment), v1.clock.now(), v1.gateway.till)
    assert events == [DepositedTwice(2000)]
    assert payment.cancellable == 1000
