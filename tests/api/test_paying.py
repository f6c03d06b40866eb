"""Paying and sending back over HTTP: accounts for their owners' eyes alone (P6–P8)."""

from typing import Any

import pytest

from market.app import Market
from market.payments.buyer import BuyerField
from market.payments.demands import Demands
from market.payments.domain import Method
from tests.support.clock import MovableClock
from tests.support.gateway import MemoryGateway
from tests.support.web import Client, problem

MINE = {"bank": "088", "number": "110-123-456789", "holder": "김보라"}
ACCOUNT = {"method": "VIRTUAL_ACCOUNT", "bank": "KOOKMIN"}


class TradeSummary:
    """A seller, a buyer, a stranger, and a trade that awaits payment."""

    def __init__(self, seller: Client, buyer: Client, stranger: Client, trade: Any) -> None:
        self.seller, self.buyer, self.stranger = seller, buyer, stranger
        self.trade = f"/api/trades/{trade['id']}"

    async def pay(self, gateway: MemoryGateway, means: dict[str, str]) -> str:
        payment = await self.buyer.post(f"{self.trade}/payment", means)
        gateway.pay(payment["id"], payment["amount"])
        path = f"/api/payments/{payment['id']}"
        assert (await self.buyer.post(f"{path}/complete"))["status"] == "PAID"
        return path


@pytest.fixture
async def deal(client: Client) -> TradeSummary:
    seller, buyer, stranger = [await client.member(name) for name in ("s", "b", "x")]
    return TradeSummary(seller, buyer, stranger, await buyer.buy((await seller.product())["id"]))


async def test_a_virtual_account_is_shown_to_its_buyer_alone(deal: TradeSummary) -> None:
    payment = await deal.buyer.post(f"{deal.trade}/payment", ACCOUNT)
    account = payment["virtual_account"]
    assert (payment["status"], account["bank"]) == ("VIRTUAL_ACCOUNT_ISSUED", "KOOKMIN")
    assert set(account) == {"bank", "number", "holder", "due_at"}
    assert account["due_at"] == (await deal.buyer.get(deal.trade))["hold_expires_at"]
    path = f"/api/payments/{payment['id']}"
    assert (await deal.buyer.get(path))["virtual_account"] == account
    assert (await deal.seller.get(path))["virtual_account"] is None
    assert problem(await deal.stranger.call("GET", path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("means", "code"),
    [
        ({"method": "VIRTUAL_ACCOUNT"}, "bank_needed"),
        ({"method": "VIRTUAL_ACCOUNT", "bank": "BANK OF NOWHERE"}, "invalid_request"),
        ({"method": "CARD", "bank": "KAKAO"}, "bank_needed"),
    ],
)
async def test_an_account_is_made_at_a_bank_we_know(
    deal: TradeSummary, means: dict[str, str], code: str
) -> None:
    refused = await deal.buyer.call("POST", f"{deal.trade}/payment", means)
    assert problem(refused) == (400, code)


async def test_a_deposit_goes_back_to_the_buyers_own_account(
    deal: TradeSummary, gateway: MemoryGateway
) -> None:
    path = await deal.pay(gateway, ACCOUNT)
    cancel = {"reason": "변심"}
    refused = await deal.buyer.call("POST", f"{deal.trade}/cancel", cancel)
    assert problem(refused) == (400, "refund_account_needed")
    wrong = MINE | {"number": "not a number"}
    refused = await deal.buyer.call(
        "POST", f"{deal.trade}/cancel", cancel | {"refund_account": wrong}
    )
    assert problem(refused) == (400, "invalid_request")
    assert "not a number" not in refused.text
    done = await deal.buyer.call("POST", f"{deal.trade}/cancel", cancel | {"refund_account": MINE})
    assert (done.status_code, done.json()["status"]) == (200, "CANCELLED")
    assert "110-123" not in done.text
    assert (await deal.buyer.get(path))["cancelled_amount"] == 1000
    (account,) = gateway.sent_to
    assert account is not None
    assert (account.bank, account.number) == ("SHINHAN", "110123456789")


async def test_money_goes_back_in_part_and_then_as_a_whole(
    deal: TradeSummary, gateway: MemoryGateway
) -> None:
    path = await deal.pay(gateway, {"method": "CARD"})
    part = {"amount": 400, "reason": "a scratch"}
    shown = await deal.seller.post(f"{path}/cancel", part, Idempotency_Key="k")
    assert (shown["status"], shown["cancelled_amount"]) == ("PARTIALLY_CANCELLED", 400)
    assert await deal.seller.post(f"{path}/cancel", part, Idempotency_Key="k") == shown
    assert (await deal.buyer.get(deal.trade))["refunded_amount"] == 400
    too_much = await deal.seller.call("POST", f"{path}/cancel", part | {"amount": 601})
    assert problem(too_much) == (409, "amount_exceeds_cancellable")
    for nothing in (0, -1, "400"):
        refused = await deal.seller.call("POST", f"{path}/cancel", part | {"amount": nothing})
        assert problem(refused) == (400, "invalid_request")
    rest = await deal.buyer.post(f"{path}/cancel", {"reason": "no, thanks"})
    assert (rest["status"], rest["cancelled_amount"]) == ("CANCELLED", 1000)
    assert (await deal.seller.get(deal.trade))["status"] == "CANCELLED"


async def test_who_may_send_money_back_is_as_for_the_trade(
    deal: TradeSummary, gateway: MemoryGateway, client: Client
) -> None:
    path = await deal.pay(gateway, {"method": "CARD"})
    part = {"amount": 400, "reason": "why"}
    assert problem(await client.call("POST", f"{path}/cancel", part)) == (401, "unauthenticated")
    assert problem(await deal.stranger.call("POST", f"{path}/cancel", part)) == (404, "not_found")
    await deal.seller.post(f"{deal.trade}/approve")
    refused = await deal.buyer.call("POST", f"{path}/cancel", part)
    assert problem(refused) == (409, "invalid_transition")
    assert gateway.cancels == []
    await deal.seller.post(f"{path}/cancel", part)
    await deal.buyer.post(f"{deal.trade}/confirm")
    refused = await deal.seller.call("POST", f"{path}/cancel", part)
    assert problem(refused) == (409, "invalid_transition")


async def test_no_checkout_is_given_before_the_gateway_knows_the_amount(
    deal: TradeSummary, gateway: MemoryGateway
) -> None:
    gateway.dead = True
    refused = await deal.buyer.call("POST", f"{deal.trade}/payment", {"method": "CARD"})
    assert problem(refused) == (502, "gateway_unavailable")
    begun = (await deal.buyer.get(deal.trade))["payment"]
    path = f"/api/payments/{begun['id']}"
    seen = await deal.buyer.get(path)
    assert (seen["status"], seen["checkout"]) == ("READY", None)
    gateway.dead = False
    again = await deal.buyer.post(f"{deal.trade}/payment", {"method": "CARD"})
    assert again["id"] == begun["id"]
    assert again["checkout"]["params"] == {"merchant_uid": begun["id"]}
    assert (await deal.buyer.get(path))["checkout"] == again["checkout"]


async def test_a_refund_on_its_way_is_202(deal: TradeSummary, gateway: MemoryGateway) -> None:
    path = await deal.pay(gateway, {"method": "CARD"})
    gateway.dead = True
    part = {"amount": 400, "reason": "why"}
    answer = await deal.seller.call("POST", f"{path}/cancel", part)
    assert (answer.status_code, answer.json()["cancelled_amount"]) == (202, 0)


async def test_a_late_deposit_waits_for_the_buyer_to_say_where_to(
    deal: TradeSummary, gateway: MemoryGateway, market: Market
) -> None:
    payment = await deal.buyer.post(f"{deal.trade}/payment", ACCOUNT)
    await deal.buyer.post(f"{deal.trade}/cancel", {"reason": "why"})
    gateway.pay(payment["id"], 1000)
    path = f"/api/payments/{payment['id']}"
    await deal.buyer.post(f"{path}/complete")
    body = {"reason": "late", "refund_account": MINE}
    assert problem(await deal.seller.call("POST", f"{path}/cancel", body)) == (404, "not_found")
    back = await deal.buyer.post(f"{path}/cancel", body)
    assert (back["status"], back["cancelled_amount"]) == ("CANCELLED", 1000)


async def test_an_old_bearer_does_not_keep_anybody_from_refreshing(client: Client) -> None:
    member = await client.member()
    body = {"refresh_token": member.refresh_token}
    fresh = await client.call("POST", "/api/auth/refresh", body, Authorization="Bearer stale")
    assert fresh.status_code == 200


async def test_text_that_is_no_utf8_is_refused(client: Client) -> None:
    body = b'{"email": "a@example.com", "password": "\xed\xa0\x80 long enough"}'
    headers = {"Content-Type": "application/json"}
    answer = await client.http.post("/api/auth/login", content=body, headers=headers)
    assert problem(answer) == (400, "invalid_request")


async def test_an_operator_sees_and_sends_back_what_no_other_stranger_may(
    deal: TradeSummary, gateway: MemoryGateway, market: Market
) -> None:
    path = await deal.pay(gateway, {"method": "CARD"})
    email = deal.stranger.email
    await market.members.set_operator(email, "the owner", "she asked for it", operator=True)
    seen = await deal.stranger.get(path)
    assert (seen["status"], seen["checkout"], seen["virtual_account"]) == ("PAID", None, None)
    assert (await deal.stranger.get("/api/me"))["operator"] is True
    part = {"amount": 400, "reason": "a scratch"}
    assert (await deal.stranger.post(f"{path}/cancel", part))["cancelled_amount"] == 400
    await deal.seller.post(f"{deal.trade}/approve")
    await deal.buyer.post(f"{deal.trade}/confirm")
    rest = await deal.stranger.post(f"{deal.trade}/cancel", {"reason": "it broke"})
    assert (rest["status"], rest["cancel_in_progress"]) == ("PURCHASE_CONFIRMED", False)
    await market.members.set_operator(email, "the owner", "she left", operator=False)
    assert problem(await deal.stranger.call("GET", path)) == (404, "not_found")
    acts = [(act.actor, act.act) for act in await market.audit.list(None, 10)]
    me = deal.stranger.id
    assert acts == [
        ("the owner", "dismiss"),
        (me, "cancel"),
        (me, "send back 400"),
        ("the owner", "appoint"),
    ]


async def test_a_confirmed_sales_money_on_its_way_back_is_202(
    deal: TradeSummary, gateway: MemoryGateway, market: Market
) -> None:
    await deal.pay(gateway, {"method": "CARD"})
    await deal.seller.post(f"{deal.trade}/approve")
    await deal.buyer.post(f"{deal.trade}/confirm")
    await market.members.set_operator(deal.stranger.email, "the owner", "why", operator=True)
    gateway.dead = True
    answer = await deal.stranger.call("POST", f"{deal.trade}/cancel", {"reason": "it broke"})
    assert (answer.status_code, answer.json()["status"]) == (202, "PURCHASE_CONFIRMED")


async def test_a_repeat_after_the_process_died_sends_no_second_part_back(
    deal: TradeSummary, market: Market, gateway: MemoryGateway, clock: MovableClock
) -> None:
    """It had sent the money back, and not kept its answer: the claim of the key lapses, and the
    client's repeat runs the work again."""
    path = await deal.pay(gateway, {"method": "CARD"})
    wish = {"reason": "a scratch", "amount": 400}
    first = await deal.buyer.post(f"{path}/cancel", wish, Idempotency_Key="once")
    await market.db.execute("UPDATE idempotency_keys SET answer = NULL")
    clock.move(minutes=6)
    again = await deal.buyer.post(f"{path}/cancel", wish, Idempotency_Key="once")
    assert first["cancelled_amount"] == again["cancelled_amount"] == 400
    other = await deal.buyer.post(f"{path}/cancel", wish, Idempotency_Key="another")
    assert other["cancelled_amount"] == 800


@pytest.mark.parametrize(
    "number", ["110 123 456789", "１１０－１２３－４５６７８９", "110–123–456789"]
)
async def test_an_account_is_read_as_people_write_it(
    deal: TradeSummary, gateway: MemoryGateway, number: str
) -> None:
    await deal.pay(gateway, ACCOUNT)
    body = {"reason": "why", "refund_account": MINE | {"number": number}}
    done = await deal.buyer.call("POST", f"{deal.trade}/cancel", body)
    assert done.status_code == 200, done.text
    assert [account and account.number for account in gateway.sent_to] == ["110123456789"]


async def test_a_company_s_demands_are_named_and_met(
    deal: TradeSummary, gateway: MemoryGateway
) -> None:
    gateway.demands = Demands({Method.CARD: frozenset({BuyerField.NAME, BuyerField.PHONE})})
    begin = f"{deal.trade}/payment"
    answer = await deal.buyer.call("POST", begin, {"method": "CARD"})
    assert problem(answer) == (400, "buyer_needed")
    assert answer.json()["about"] == {"fields": "name, phone"}
    part = {"method": "CARD", "buyer": {"name": "김보라"}}
    assert (await deal.buyer.call("POST", begin, part)).json()["about"] == {"fields": "phone"}
    whole = {"method": "CARD", "buyer": {"name": "김보라", "phone": "０１０-1234 5678"}}
    assert (await deal.buyer.post(begin, whole))["status"] == "READY"


@pytest.mark.parametrize(
    "buyer",
    [
        {"phone": "1234"},
        {"phone": 1012345678},
        {"name": "x" * 51},
        {"name": "a\nb"},
        {"email": "nobody"},
        {"email": "a@example.com\n"},
    ],
)
async def test_what_a_buyer_can_t_be_called_is_refused(
    deal: TradeSummary, buyer: dict[str, Any]
) -> None:
    answer = await deal.buyer.call(
        "POST", f"{deal.trade}/payment", {"method": "CARD", "buyer": buyer}
    )
    assert answer.status_code in {400, 422}
    problem(answer)


async def test_a_refund_s_phone_number_is_asked_for_where_it_is_needed(
    deal: TradeSummary, gateway: MemoryGateway
) -> None:
    gateway.demands = Demands(refund_phone=True)
    path = await deal.pay(gateway, ACCOUNT)
    wish: dict[str, Any] = {"reason": "why", "refund_account": MINE}
    refused = await deal.buyer.call("POST", f"{path}/cancel", wish)
    assert problem(refused) == (400, "refund_phone_needed")
    wish["refund_account"] = {**MINE, "phone": "010-1234-5678"}
    assert (await deal.buyer.call("POST", f"{path}/cancel", wish)).is_success
    assert [account and account.phone for account in gateway.sent_to] == ["01012345678"]
