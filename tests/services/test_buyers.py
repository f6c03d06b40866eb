"""What a payment company is told of a buyer: asked for, kept encrypted, and gone afterwards."""

from dataclasses import replace

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.kit.security.encryption import Encryptor
from market.payments.buyer import NOBODY, Buyer, BuyerField
from market.payments.demands import BankRefused, BuyerNeeded, Demands, RefundPhoneNeeded
from market.payments.domain import OFFERED, Means, Method, Payment, Status
from market.payments.ports import GatewayRefused, OutcomeUnknown
from market.shared.banking import Bank, RefundAccount
from market.shared.phone import phone_number
from market.trades.domain import Status as TradeStatus
from tests.support.acts import CARD, Acts
from tests.support.gateway import MemoryGateway

BORA = Buyer("김보라", "01012345678", "bora@example.com")
EVERYTHING = Demands({method: frozenset(BuyerField) for method in OFFERED})
DEPOSIT = Means(Method.VIRTUAL_ACCOUNT, Bank.SHINHAN)


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway(demands=EVERYTHING)


async def kept(market: Market, db: Database) -> list[Buyer]:
    ids = await db.fetch("SELECT id FROM payments ORDER BY id")
    return [(await market.payments._payments.get(row["id"])).buyer for row in ids]


@pytest.mark.parametrize("means", [CARD, DEPOSIT])
async def test_nothing_is_begun_without_what_the_company_needs(
    acts: Acts, market: Market, db: Database, means: Means
) -> None:
    trade = await acts.trade()
    for buyer, missing in (
        (NOBODY, "name, phone, email"),
        (replace(BORA, phone=""), "phone"),
        (replace(BORA, name="", email=""), "name, email"),
    ):
        with pytest.raises(BuyerNeeded) as told:
            await market.payments.start(trade.id, trade.buyer.id, means, buyer)
        assert told.value.context["fields"] == missing
    assert await db.fetch_value("SELECT count(*) FROM payments") == 0


async def test_a_buyer_is_kept_encrypted_and_no_longer_than_the_payment_is_ready(
    acts: Acts, market: Market, db: Database, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, CARD, BORA)
    assert await kept(market, db) == [BORA]
    assert "김보라" not in repr(payment)
    row = await db.fetch_one("SELECT * FROM payments")
    assert row is not None
    for secret in (BORA.name, BORA.phone, BORA.email):
        assert secret.encode() not in bytes(row["buyer"])
    gateway.pay(payment.id, payment.amount.amount)
    await market.payments.complete(payment.id, trade.buyer.id)
    assert await db.fetch_value("SELECT buyer FROM payments") is None


@pytest.mark.parametrize("end", ["failed", "expired", "account"])
async def test_whatever_becomes_of_a_payment_its_buyer_is_forgotten(
    acts: Acts, market: Market, db: Database, gateway: MemoryGateway, end: str
) -> None:
    trade = await acts.trade()
    means = DEPOSIT if end == "account" else CARD
    payment = await market.payments.start(trade.id, trade.buyer.id, means, BORA)
    if end == "failed":
        gateway.fail(payment.id)
        await market.payments.complete(payment.id, trade.buyer.id)
    if end == "expired":
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why")
    status = await db.fetch_value("SELECT status FROM payments")
    assert status in {Status.FAILED, Status.EXPIRED, Status.VIRTUAL_ACCOUNT_ISSUED}
    assert await kept(market, db) == [NOBODY]


async def test_a_buyer_whom_no_key_opens_any_more_is_asked_again(
    acts: Acts, market: Market, db: Database
) -> None:
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, CARD, BORA)
    sealed = Encryptor(["another key"]).encrypt(b"{}")
    await db.execute("UPDATE payments SET buyer = $1", sealed)
    assert (await market.payments.synchronize(payment.id)).status is Status.READY
    assert await kept(market, db) == [NOBODY]
    await market.payments.start(trade.id, trade.buyer.id, CARD, BORA)
    assert await kept(market, db) == [BORA]


async def test_who_begins_again_may_say_something_else(
    acts: Acts, market: Market, db: Database
) -> None:
    trade = await acts.trade()
    first = await market.payments.start(trade.id, trade.buyer.id, CARD, BORA)
    other = replace(BORA, phone="0212345678")
    again = await market.payments.start(trade.id, trade.buyer.id, CARD, other)
    assert (again.id, again.buyer) == (first.id, other)
    assert await kept(market, db) == [other]


async def test_a_lost_call_for_an_account_is_repeated_as_it_was_and_a_refused_one_need_not_be(
    acts: Acts, market: Market, db: Database, gateway: MemoryGateway
) -> None:
    trade = await acts.trade()
    told: list[Buyer] = []
    opening = gateway.issue_account

    async def noted(payment: Payment, due_at: object) -> None:
        told.append(payment.buyer)
        if len(told) == 1:
            raise OutcomeUnknown
        if len(told) == 2:
            raise GatewayRefused("no such phone")
        await opening(payment, due_at)  # type: ignore[arg-type]

    gateway.issue_account = noted  # type: ignore[method-assign] # a fake's own
    other = replace(BORA, phone="01099999999")
    with pytest.raises(OutcomeUnknown):
        await market.payments.start(trade.id, trade.buyer.id, DEPOSIT, BORA)
    with pytest.raises(GatewayRefused):
        await market.payments.start(trade.id, trade.buyer.id, DEPOSIT, other)
    payment = await market.payments.start(trade.id, trade.buyer.id, DEPOSIT, other)
    assert told == [BORA, BORA, other]
    assert payment.status is Status.VIRTUAL_ACCOUNT_ISSUED


async def test_a_bank_the_company_has_no_accounts_at_is_refused(acts: Acts, market: Market) -> None:
    market.payments._gateways.today.demands = Demands(account_banks=frozenset({Bank.IBK}))
    trade = await acts.trade()
    with pytest.raises(BankRefused):
        await market.payments.start(trade.id, trade.buyer.id, DEPOSIT)


@pytest.mark.parametrize(
    ("demands", "refusal"),
    [
        (Demands(refund_banks=frozenset({Bank.IBK})), BankRefused),
        (Demands(refund_phone=True), RefundPhoneNeeded),
    ],
)
async def test_an_account_that_can_t_be_refunded_to_cancels_nothing(
    acts: Acts,
    market: Market,
    db: Database,
    gateway: MemoryGateway,
    demands: Demands,
    refusal: type[Exception],
) -> None:
    gateway.demands = Demands()
    trade = await acts.trade()
    payment = await market.payments.start(trade.id, trade.buyer.id, DEPOSIT)
    gateway.pay(payment.id, payment.amount.amount)
    await market.payments.complete(payment.id, trade.buyer.id)
    gateway.demands = demands
    account = RefundAccount(Bank.SHINHAN, "110123456789", "김보라")
    with pytest.raises(refusal):
        await market.refunds.cancel_purchase(trade.id, trade.buyer.id, "why", account)
    with pytest.raises(refusal):
        await market.refunds.cancel(payment.id, trade.buyer.id, 300, "why", account)
    assert await db.fetch_value("SELECT count(*) FROM cancellations") == 0
    now = await acts.now(trade)
    assert (now.status, now.is_busy) == (TradeStatus.PAID, False)
    await market.refunds.cancel_purchase(trade.id, trade.seller.id, "why")
    with pytest.raises(refusal):
        await market.refunds.send_to(payment.id, trade.buyer.id, account)
    assert await db.fetch_value("SELECT refund_account FROM cancellations") is None


@pytest.mark.parametrize(
    "text",
    [
        "01012345678",
        "010-1234-5678",
        "010 1234 5678",
        "010.1234.5678",
        "+82 10-1234-5678",
        "+82 (0)10 1234 5678",
        "０１０－１２３４－５６７８",
        "010–1234–5678",
    ],
)
def test_a_phone_number_is_read_as_people_write_it(text: str) -> None:
    assert phone_number(text) == "01012345678"


@pytest.mark.parametrize(
    "text", ["", "1234", "010-1234", "9" * 11, "010-1234-567x", "٠١٠١٢٣٤٥٦٧٨", "0" + "1" * 11]
)
def test_what_is_no_phone_number_is_none(text: str) -> None:
    assert phone_number(text) is None
