"""A walk past every page of the operators' console, with something on each."""

from collections.abc import Callable, Iterator

import asyncpg
import httpx

from .person import Person
from .tour import Sight

Appoint = Callable[[str], None]


async def appoint(dsn: str, nickname: str) -> None:
    """As `market operator` would, and an incident for them to settle."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE members SET operator = true WHERE nickname = $1", nickname)
    await connection.execute(
        """
        INSERT INTO incidents (kind, subject, payment_id, trade_id, seen)
        SELECT 'wrong_amount', id, id, trade_id, '{"amount": 44000, "currency": "KRW"}'
        FROM payments WHERE status = 'PAID'
        """
    )
    await connection.close()


def console_tour(
    operator: Person, seller: Person, buyer: Person, gateway: httpx.Client, appoint: Appoint
) -> Iterator[Sight]:
    """Each page's name, and the operator who stands before it. The buyer waits for money back."""
    product = seller.sell(name="접이식 테이블", price="64000")
    trade = buyer.buy(product)
    money = {"account_number": buyer.ask_for_account(), "amount": 64_000}
    gateway.post("/control/deposit", json=money).raise_for_status()
    buyer.go(trade)
    buyer.sees("결제가 완료됐어요")
    operator.sign_up("하나")
    appoint("하나")
    for name, path in (
        ("console", "/console?days=14"),
        ("console-payments", "/console/payments"),
        ("console-incidents", "/console/incidents"),
        ("console-ledger", "/console/ledger"),
        ("console-statement", "/console/ledger/escrow"),
        ("console-jobs", "/console/jobs"),
    ):
        operator.go(path)
        yield name, operator
    operator.go("/console/payments")
    operator.page.locator(".console-rows a").first.click()
    payment = operator.path
    operator.press("환불하기")
    operator.page.wait_for_url("**/refund")
    yield "console-refund", operator
    operator.fill(amount="4000", reason="다리에 긁힌 자국")
    operator.press("환불하기")
    operator.page.wait_for_url("**say=console_refund_asked")
    yield "console-payment", operator
    operator.go("/console/cancellations?state=waiting")
    yield "console-refunds", operator
    operator.go(f"{payment}/refund-account")
    yield "console-refund-account", operator
    operator.go("/console/incidents")
    operator.page.locator(".settle [name=how]").first.fill("구매자와 통화해 확인했어요.")
    operator.press("처리 완료")
    operator.page.wait_for_url("**say=console_settled")
    yield "console-incident", operator
    operator.go("/console/acts")
    yield "console-acts", operator
