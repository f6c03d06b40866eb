"""Pages are no way around the API's rule: what stands on one line reads as it stands."""

from collections.abc import Mapping, Sequence

import pytest

from market.app import Market
from market.members.service import TokenPair
from market.payments.domain import Means, Method
from market.shared.banking import Bank
from market.shared.ids import ProductId
from market.shared.principals import MemberSummary
from tests.support.acts import Acts
from tests.support.browser import browsing
from tests.support.gateway import MemoryGateway

ODD = ["a\r\nb", "a\tb", "a\x1b[2Jb", "a\x9bb", "a\u2028b", "a\u202eb", "\u2066"]
REFUSED = "사용할 수 없는 문자가 있어요."
ACCOUNT = {"bank": "KAKAO", "number": "333301234567"}
NEWCOMER = {"email": "new@example.com", "password": "a password"}
GOODS = {"price": "1000", "quantity": "1"}
DEPOSIT = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)


async def newcomer(market: Market, name: str) -> tuple[MemberSummary, TokenPair]:
    member, pair = await market.members.sign_up(f"{name}@example.com", "no password", name)
    return member.person, pair


@pytest.fixture
async def forms(
    acts: Acts, market: Market, gateway: MemoryGateway
) -> Sequence[tuple[TokenPair | None, str, str, Mapping[str, str]]]:
    """Every field of a page that stands on one line: who fills in which, where, and what else."""
    (seller, sells), (buyer, buys) = [await newcomer(market, name) for name in ("sela", "bora")]
    _, operates = await newcomer(market, "operator")
    await market.members.set_operator("operator@example.com", "the tests", "to try", operator=True)
    unpaid, paid, owed = [
        await market.trades.buy((await acts.product(seller)).id, buyer) for _ in range(3)
    ]
    payments = []
    for trade, amount in ((paid, 1000), (owed, 999)):  # of which one is an incident
        payment = await market.payments.start(trade.id, buyer.id, DEPOSIT)
        gateway.pay(payment.id, amount)
        await market.payments.synchronize(payment.id)
        payments.append(f"/console/payments/{payment.id}")
    return [
        (None, "/signup", "nickname", NEWCOMER),
        (sells, "/sell", "name", GOODS),
        (sells, f"/products/{unpaid.product_id}/edit", "name", GOODS),
        (buys, f"/trades/{unpaid.id}/cancel", "reason", {}),
        (buys, f"/trades/{paid.id}/cancel", "holder", {"reason": "why", **ACCOUNT}),
        (buys, f"/trades/{owed.id}/refund-account", "holder", ACCOUNT),
        (operates, "/console/incidents/1", "how", {}),
        (operates, f"{payments[0]}/refund", "reason", {}),
        (operates, f"{payments[0]}/refund", "holder", {"reason": "why", **ACCOUNT}),
        (operates, f"{payments[1]}/refund-account", "holder", ACCOUNT),
        (operates, f"/console/trades/{unpaid.id}/cancel", "reason", {}),
    ]


async def test_what_stands_on_one_line_is_refused_where_it_would_not(
    market: Market, forms: Sequence[tuple[TokenPair | None, str, str, Mapping[str, str]]]
) -> None:
    for who, path, field, rest in forms:
        async with browsing(market, who) as browser:
            await browser.open(path)
            for odd in ODD:
                answer = await browser.send(path, **{**rest, field: odd})
                assert (answer.status_code, browser.text.count(REFUSED)) == (400, 1), (path, odd)


async def test_a_description_keeps_its_lines(acts: Acts, market: Market) -> None:
    _, sells = await newcomer(market, "seller")
    wish = {**GOODS, "name": " 의자 ", "description": "a\r\n\r\nb"}
    async with browsing(market, sells) as browser:
        await browser.open("/sell")
        listed = await browser.send("/sell", **wish)
    address = listed.headers["location"].partition("?")[0]
    product = await market.products.get(ProductId(address.rpartition("/")[2]))
    assert (product.name, product.description) == ("의자", "a\n\nb")
