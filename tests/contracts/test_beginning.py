"""Beginning to pay on the real wire: one account, a new question after a no, no early window."""

import asyncio

import pytest

from market.payments.domain import Payment, Status
from market.payments.ports import GatewayRefused
from market.shared.errors import GatewayUnavailable
from tests.support.acts import ACCOUNT, CARD

from .shops import Opened, Shop
from .sides import Wire

VERSIONS = pytest.mark.parametrize("version", ["V1", "V2"])
HOUR_S = 3600


def accounts_open(shop: Shop, id: str) -> int:
    """How many accounts the gateway has opened for a payment."""
    shown = shop.portone.control("GET", f"payments?payment_id={id}")["items"]
    return sum(one["status"] == "VIRTUAL_ACCOUNT_ISSUED" for one in shown)


@VERSIONS
async def test_four_who_begin_at_once_share_one_account(opened: Opened, version: str) -> None:
    shop = opened(PORTONE_VERSION=version)
    for _ in range(5):
        buyer, trade = await shop.buy()
        begins = [shop.market.payments.start(trade.id, buyer.id, ACCOUNT) for _ in range(4)]
        begun = await asyncio.gather(*begins)
        assert accounts_open(shop, begun[0].id) == 1
        assert len({payment.account for payment in begun}) == 1
        assert begun[0].account is not None


@VERSIONS
@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500"])
async def test_of_four_one_of_whom_hears_nothing_the_others_get_the_account(
    opened: Opened, version: str, fault: str
) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    path = {"V1": "/vbanks", "V2": "/payments/*/instant"}[version]
    shop.portone.fault(fault, version=version, method="POST", path=path)
    begins = [shop.market.payments.start(trade.id, buyer.id, ACCOUNT) for _ in range(4)]
    begun = await asyncio.gather(*begins, return_exceptions=True)
    (deaf,) = [trouble for trouble in begun if isinstance(trouble, BaseException)]
    assert isinstance(deaf, GatewayUnavailable)
    issued = [payment for payment in begun if isinstance(payment, Payment)]
    assert accounts_open(shop, issued[0].id) == 1
    assert len({payment.account for payment in issued}) == 1


@VERSIONS
async def test_what_was_refused_holds_nothing_longer_and_is_asked_anew(
    opened: Opened, version: str
) -> None:
    """The gateway's clock is two days ahead: the due time we ask for is over there."""
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    shop.portone.advance(seconds=48 * HOUR_S)
    with pytest.raises(GatewayRefused):
        await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    seen, _ = await shop.market.trades.see(trade.id, buyer.id)
    assert seen.hold_expires_at == trade.hold_expires_at
    shop.portone.advance(seconds=-48 * HOUR_S)
    payment = await shop.market.payments.start(trade.id, buyer.id, ACCOUNT)
    assert payment.status is Status.VIRTUAL_ACCOUNT_ISSUED
    seen, _ = await shop.market.trades.see(trade.id, buyer.id)
    assert payment.account is not None
    assert abs((seen.hold_expires_at - payment.account.due_at).total_seconds()) < 1


async def test_a_charge_that_was_refused_is_asked_for_with_a_key_of_its_own(
    opened: Opened, wire: Wire
) -> None:
    """V2 keeps a no for three hours, for the key it was given with; a lost answer, too."""
    shop = opened(PORTONE_VERSION="V2")
    buyer, trade = await shop.buy()
    payment, _ = await shop.start(trade, buyer)
    manual = {"channel_key": "channel-key-sandbox-v2-manual"}
    token = str(shop.portone.pay(payment.id, **manual)["paymentToken"])
    match = {"version": "V2", "method": "POST", "path": "/payments/*/confirm"}
    for fault in ({"fault": "refuse", "error_type": "PG_PROVIDER"}, {"fault": "timeout_before"}):
        shop.portone.control("POST", "faults", {**fault, "times": 1, "match": match}, 201)
        with pytest.raises((GatewayRefused, GatewayUnavailable)):
            await shop.market.payments.complete(payment.id, buyer.id, token)
    paid = await shop.market.payments.complete(payment.id, buyer.id, token)
    assert paid.status is Status.PAID
    sent = [one for one in wire.sent if one.url.path.endswith("/confirm")]
    refused, lost, again = [one.headers["idempotency-key"] for one in sent]
    assert refused != lost == again


@VERSIONS
async def test_no_window_before_the_gateway_knows_the_amount(opened: Opened, version: str) -> None:
    shop = opened(PORTONE_VERSION=version)
    buyer, trade = await shop.buy()
    path = {"V1": "/payments/prepare", "V2": "/payments/*/pre-register"}[version]
    shop.portone.fault("error_500", version=version, method="POST", path=path)
    with pytest.raises(GatewayUnavailable):
        await shop.market.payments.start(trade.id, buyer.id, CARD)
    _, receipt = await shop.market.trades.see(trade.id, buyer.id)
    assert receipt is not None
    assert not (await shop.market.payments.see(receipt.id, buyer.id)).opens_window
    assert (await shop.start(trade, buyer))[0].opens_window
