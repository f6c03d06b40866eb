"""Both versions pay, and refund, under each payment company that the sandbox can play."""

import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import regex

from market.payments.buyer import NOBODY, Buyer
from market.payments.demands import BankRefused, BuyerNeeded, RefundPhoneNeeded
from market.payments.domain import Means, Method, Payment, Status
from market.payments.portone.companies import COMPANIES
from market.payments.ports import GatewayRefused
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import CancellationId
from market.shared.principals import Party
from portone_sandbox.core.companies import COMPANIES as PLAYED

from .sides import IDS, Side, V1Side

BORA = Buyer("김보라", "01012345678", "bora@example.com")
FAMILY = "👨‍👩‍👧‍👦"
TITLES = [
    "아주 상태 좋은 원목 책상과 의자 세트 직거래 환영합니다 " * 3,
    "[새상품] 50% 할인 A&B = C+D | 1-2 $5, 10\\20",
    FAMILY * 12,
    f"{'가' * 12}{FAMILY}",
    "뷁쀍 🎁 ☕️ 커피",
    "%&|$-+=[]\\,",
]

Behind = Callable[[str], Side]


@pytest.fixture
def behind(side: Side) -> Behind:
    """Puts a company behind the channel, there and here."""

    def behind(name: str) -> Side:
        key = side.portone.keys[side.version.lower()]["channel_key"]
        side.portone.set(companies={key: name})
        side.gateway = side.made(company=COMPANIES[name])
        return side

    return behind


def test_the_sandbox_plays_every_company_we_know_and_no_other() -> None:
    assert set(COMPANIES) == set(PLAYED)


async def opened(side: Side, payment: Payment, status: int = 201) -> object:
    """The window, as a buyer's browser opens it."""
    await side.gateway.register(payment)
    params = dict(side.gateway.checkout(payment).params)
    order = {"version": side.version, "params": params}
    return side.portone.control("POST", "checkout", order, status)


async def looked(side: Side, payment: Payment) -> Payment:
    payment.apply(await side.seen(payment), side.clock.now(), side.gateway.till)
    return payment


@pytest.mark.parametrize("name", COMPANIES)
async def test_a_card_pays_and_is_refunded(behind: Behind, name: str) -> None:
    side = behind(name)
    payment = side.payment()
    payment.buyer = BORA
    await opened(side, payment)
    side.portone.pay(payment.id)
    assert (await looked(side, payment)).status is Status.PAID
    await side.cancelled(payment, 400)
    await side.cancelled(payment)
    assert payment.status is Status.CANCELLED


@pytest.mark.parametrize("name", COMPANIES)
@pytest.mark.parametrize("title", TITLES)
async def test_a_name_of_any_kind_fits(behind: Behind, name: str, title: str) -> None:
    side = behind(name)
    payment = side.payment()
    payment.title, payment.buyer = title, Buyer(title[:50], BORA.phone, BORA.email)
    await opened(side, payment)
    params = side.gateway.checkout(payment).params
    shown = params["name" if side.version == "V1" else "orderName"]
    whole = set(regex.findall(r"\X", title)) | set("상품 ")
    assert set(regex.findall(r"\X", shown)) <= whole
    # Nor does the company cut it: what it shows is what was sent.
    assert PLAYED[name].order_name.shown(shown) == shown  # type: ignore[index] # its names are ours


async def issued(side: Side, bank: Bank) -> Payment:
    payment = side.payment()
    payment.method, payment.bank, payment.buyer = Method.VIRTUAL_ACCOUNT, bank, BORA
    side.gateway.demands.check(Means(payment.method, bank), BORA)
    await side.gateway.issue_account(payment, side.clock.now() + timedelta(hours=24))
    return await looked(side, payment)


@pytest.mark.parametrize("name", COMPANIES)
async def test_a_deposit_pays_and_is_refunded_at_every_bank_it_deals_with(
    behind: Behind, name: str
) -> None:
    side = behind(name)
    for bank in sorted(side.gateway.demands.account_banks):
        payment = await issued(side, bank)
        assert payment.account is not None
        assert payment.account.bank == bank
        body = {"account_number": payment.account.number, "amount": 1000}
        side.portone.control("POST", "deposit", body)
        await looked(side, payment)
        account = RefundAccount(bank, "110-123-456789", "김보라", BORA.phone)
        side.gateway.demands.check_refund(account)
        id, now = CancellationId(IDS.new()), side.clock.now()
        wish = payment.cancel(id, None, "변심", Party.BUYER, now, account)
        await side.gateway.cancel(payment, wish)


@pytest.mark.parametrize("name", [name for name in COMPANIES if COMPANIES[name].by_v1_api])
async def test_an_account_is_closed(behind: Behind, name: str) -> None:
    side = behind(name)
    payment = await issued(side, Bank.SHINHAN)
    assert payment.account is not None
    assert payment.reference is not None
    await side.gateway.close_account(payment, payment.reference)
    body = {"account_number": payment.account.number, "amount": 1000}
    side.portone.control("POST", "deposit", body, status=409)


@pytest.mark.parametrize("name", COMPANIES)
async def test_what_a_company_refuses_is_asked_for_before(behind: Behind, name: str) -> None:
    side = behind(name)
    for method in side.gateway.demands.methods:
        means = Means(method, Bank.SHINHAN if method is Method.VIRTUAL_ACCOUNT else None)
        if not side.gateway.demands.of(method):
            side.gateway.demands.check(means, NOBODY)
            continue
        with pytest.raises(BuyerNeeded) as refusal:
            side.gateway.demands.check(means, NOBODY)
        assert refusal.value.context["fields"]
    if side.gateway.demands.of(Method.CARD):
        payment = side.payment()
        await opened(side, payment, 409)


async def test_banks_are_named_in_each_company_s_own_way(v1: V1Side) -> None:
    for name, code in (("inicis", "88"), ("kcp", "BK88"), ("kiwoom", "10"), ("nice", "088")):
        gateway = v1.made(company=COMPANIES[name])
        assert COMPANIES[name].banks[Bank.SHINHAN] == code
        assert gateway.demands.refund_banks == set(COMPANIES[name].banks)


async def test_what_the_company_has_no_bank_for_is_refused_before_it_is_asked(
    behind: Behind,
) -> None:
    side = behind("kiwoom")
    with pytest.raises(BankRefused):
        side.gateway.demands.check_refund(RefundAccount(Bank.TOSS, "110123456789", "김보라"))
    with pytest.raises(RefundPhoneNeeded):
        behind("smartro").gateway.demands.check_refund(
            RefundAccount(Bank.SHINHAN, "110123456789", "김보라")
        )


async def test_a_bank_that_the_adapter_has_no_code_for_is_never_sent(v1: V1Side) -> None:
    gateway = v1.made(company=COMPANIES["nice"])
    payment = v1.payment()
    payment.method, payment.bank = Method.VIRTUAL_ACCOUNT, Bank.TOSS
    with pytest.raises(GatewayRefused):
        await gateway.issue_account(payment, v1.clock.now() + timedelta(hours=24))
    assert v1.wire.sent == []


async def test_without_a_company_names_fit_all_that_know_emoji(side: Side) -> None:
    for title in TITLES:
        payment = side.payment()
        payment.title = title
        params = side.gateway.checkout(payment).params
        shown = params["name" if side.version == "V1" else "orderName"]
        for name, company in PLAYED.items():
            if name not in {"ksnet", "kiwoom"}:
                assert company.order_name.problem(shown) is None, (name, shown)
                assert company.order_name.shown(shown) == shown


async def test_what_the_buyer_did_not_say_is_not_sent(side: Side) -> None:
    params = side.gateway.checkout(side.payment()).params
    assert not {name for name in params if name.startswith("buyer_") or name == "customer"}


async def test_a_stored_account_with_separators_reaches_the_gateway_as_digits(side: Side) -> None:
    payment = await issued(side, Bank.SHINHAN)
    assert payment.account is not None
    body = {"account_number": payment.account.number, "amount": 1000}
    side.portone.control("POST", "deposit", body)
    await looked(side, payment)
    account = RefundAccount(Bank.SHINHAN, "３３３３-01 1234567", "김보라")
    id, now = CancellationId(IDS.new()), side.clock.now()
    await side.gateway.cancel(payment, payment.cancel(id, None, "변심", Party.BUYER, now, account))
    sent: list[httpx.Request] = [r for r in side.wire.sent if r.url.path.endswith("/cancel")]
    assert "3333011234567" in json.dumps(json.loads(sent[-1].content))
