"""Several attempts under one order, and what was really paid with, on the real wire."""

import pytest

from market.payments.domain import Method, Status
from market.payments.record import Seen
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import PaymentId
from market.trades.domain import Status as TradeStatus
from market.verify import broken
from tests.support.acts import ACCOUNT

from .shops import Opened, Shop
from .sides import Side

VERSIONS = pytest.mark.parametrize("version", ["V1", "V2"])
MINE = RefundAccount(Bank.SHINHAN, "110-123-456789", "김보라")


def window(shop: Shop, checkout: dict[str, object], version: str, **more: object) -> str:
    """Opens another window for an order; its name at the gateway."""
    body = {"version": version, "params": {**checkout, **more}}
    return str(shop.portone.control("POST", "checkout", body, 201)["tx_id"])


def deposit(shop: Shop, number: str) -> None:
    shop.portone.control("POST", "deposit", {"account_number": number, "amount": 9000})


def attempts(shop: Shop, id: str) -> list[tuple[str, int]]:
    """The state of each attempt at the gateway, and how much of it went back."""
    shown = shop.portone.control("GET", f"payments?payment_id={id}")["items"]
    return sorted((one["status"], one["cancelled"]) for one in shown)


async def test_two_windows_of_one_order_are_paid_and_one_goes_back(opened: Opened) -> None:
    shop = opened(PORTONE_VERSION="V1")
    shop.portone.set(v1_second_payment="accept")
    buyer, trade = await shop.buy()
    payment, checkout = await shop.start(trade, buyer)
    names = [window(shop, dict(checkout.params), "V1") for _ in range(2)]
    for name in names:
        shop.portone.pay(name)
        await shop.market.payments.complete(payment.id, buyer.id)
    await shop.market.sweep.everything()
    assert attempts(shop, payment.id) == [("CANCELLED", 9000), ("PAID", 0)]
    assert await shop.status(trade, buyer) is TradeStatus.PAID
    assert await broken(shop.market.db) == []


async def test_of_two_accounts_either_is_paid_into_and_the_other_closed(opened: Opened) -> None:
    shop = opened(PORTONE_VERSION="V1")
    buyer, trade = await shop.buy()
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    assert payment.account is not None
    other = shop.portone.v1_account(payment.id, amount=9000)
    deposit(shop, other["vbank_num"])
    paid = await shop.market.payments.complete(payment.id, buyer.id)
    assert (paid.status, paid.reference) == (Status.PAID, other["imp_uid"])
    assert await shop.status(trade, buyer) is TradeStatus.PAID
    assert attempts(shop, payment.id) == [("FAILED", 0), ("PAID", 0)]


async def test_a_deposit_into_each_of_two_accounts_pays_once(opened: Opened) -> None:
    shop = opened(PORTONE_VERSION="V1")
    buyer, trade = await shop.buy()
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    assert payment.account is not None
    other = shop.portone.v1_account(payment.id, amount=9000)
    deposit(shop, payment.account.number)
    deposit(shop, other["vbank_num"])
    await shop.market.payments.complete(payment.id, buyer.id)
    waiting = await shop.market.refunds.waiting_for_account(trade.id)
    assert waiting not in {None, payment.id}
    await shop.market.refunds.send_to(PaymentId(str(waiting)), buyer.id, MINE)
    assert attempts(shop, payment.id) == [("CANCELLED", 9000), ("PAID", 0)]
    assert await shop.status(trade, buyer) is TradeStatus.PAID
    assert await broken(shop.market.db) == []


async def test_of_two_transactions_v2_is_asked_for_none(opened: Opened) -> None:
    """It takes no name of an attempt, and might send back what paid the trade."""
    shop = opened(PORTONE_VERSION="V2")
    buyer, trade = await shop.buy()
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    assert payment.account is not None
    params = dict(shop.market.payments.checkout(payment).params)
    card = window(shop, params, "V2", payMethod="CARD")
    shop.portone.pay(card, method="CARD")
    deposit(shop, payment.account.number)
    paid = await shop.market.payments.complete(payment.id, buyer.id)
    assert (paid.status, paid.reference, paid.paid_with) == (Status.PAID, card, Method.CARD)
    await shop.market.sweep.everything()
    assert attempts(shop, payment.id) == [("PAID", 0), ("PAID", 0)]
    found = [one.kind async for one in shop.market.operators.incidents()]
    assert "paid_twice" in found
    account = next(
        one["tx_id"]
        for one in shop.portone.control("GET", f"payments?payment_id={payment.id}")["items"]
        if one["tx_id"] != card
    )
    shop.portone.control("POST", "cancel", {"payment_id": account})
    await shop.market.payments.complete(payment.id, buyer.id)
    assert await shop.status(trade, buyer) is TradeStatus.PAID
    returned = "SELECT sum(cancelled_amount) FROM payments WHERE order_id IS NOT NULL"
    assert await shop.market.db.fetch_value(returned) == 9000
    assert await broken(shop.market.db) == []


@VERSIONS
async def test_a_card_window_that_ends_in_a_deposit_is_refunded_to_an_account(
    opened: Opened, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id, method="VIRTUAL_ACCOUNT", bank="SHINHAN")
    waiting = await shop.market.payments.complete(payment.id, buyer.id)
    assert waiting.deposit_account is not None
    deposit(shop, waiting.deposit_account.number)
    await shop.market.payments.complete(payment.id, buyer.id)
    await shop.market.refunds.cancel_purchase(trade.id, buyer.id, "변심", MINE)
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    assert attempts(shop, payment.id) == [("CANCELLED", 9000)]


@VERSIONS
async def test_an_account_that_ends_in_a_card_goes_back_without_an_account(
    opened: Opened, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    params = dict(shop.market.payments.checkout(payment).params)
    by_card = {"V1": {"pay_method": "card"}, "V2": {"payMethod": "CARD"}}[version]
    shop.portone.pay(window(shop, params, version, **by_card), method="CARD")
    await shop.market.payments.complete(payment.id, buyer.id)
    await shop.market.refunds.cancel_purchase(trade.id, trade.seller.id, "품절")
    assert await shop.status(trade, buyer) is TradeStatus.CANCELLED
    assert ("CANCELLED", 9000) in attempts(shop, payment.id)


@VERSIONS
async def test_a_record_of_nothing_is_an_incident_and_leaves_the_sweep_quiet(
    opened: Opened, version: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    shop.portone.pay(payment.id, amount=0)
    seen = await shop.market.payments.complete(payment.id, buyer.id)
    assert seen.status is Status.READY
    assert await shop.market.sweep.reconcile() == (1, 1)
    (found,) = [one async for one in shop.market.operators.incidents()]
    assert (found.kind, found.payment_id) == ("wrong_amount", payment.id)
    assert await shop.market.db.fetch_value("SELECT count(*) FROM transfers") == 0


@pytest.mark.parametrize(
    ("version", "bank"), [("V1", "SHINHAN"), ("V2", "SHINHAN"), ("V2", "KAKAO")]
)
async def test_the_record_says_how_it_was_paid(v1: Side, v2: Side, version: str, bank: str) -> None:
    side = {"V1": v1, "V2": v2}[version]
    card = await side.paid()
    assert ((await side.seen(card)).method, card.paid_with) == (Method.CARD, Method.CARD)
    meant = await side.registered()
    side.portone.pay(meant.id, method="VIRTUAL_ACCOUNT", bank=bank)
    seen = await side.seen(meant)
    assert (seen.state, seen.method) == (Seen.UNPAID, Method.VIRTUAL_ACCOUNT)
    assert seen.account is not None
    assert seen.account.bank == bank
    for word, method in {"TRANSFER": Method.TRANSFER, "MOBILE": Method.MOBILE}.items():
        other = await side.paid(method=word)
        assert other.paid_with is method
