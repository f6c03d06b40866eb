"""The operators' console, in a browser without JavaScript."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from market.app import Market
from market.kit.db.database import Database
from market.members.service import TokenPair
from market.payments.domain import Means, Method
from market.payments.record import Transfer
from market.shared.banking import Bank, RefundAccount
from market.shared.clock import Clock
from market.shared.ids import PaymentId
from market.shared.principals import MemberSummary
from market.web.console import ON_A_PAGE
from tests.support.acts import Acts
from tests.support.browser import Browser, browsing
from tests.support.gateway import MemoryGateway

SCRIPT = "<script>stolen()</script>"
NOBODY = "0" * 32
THEIRS = {"bank": "SHINHAN", "number": "110-123-456789", "holder": "김보라"}
GETS = [
    "",
    "?days=90",
    "/payments",
    "/payments?q=m1&status=PAID",
    "/payments/{payment}",
    "/payments/{payment}/refund",
    "/payments/{payment}/refund-account",
    "/payments/{payment}/look",
    "/payments/{payment}/give-up",
    "/payments/{payment}/account",
    "/incidents",
    "/incidents?state=settled",
    "/incidents/1",
    "/cancellations?state=waiting",
    "/ledger",
    "/ledger/escrow?from=2026-11-01&to=2026-11-30",
    "/jobs",
    "/acts",
]
POSTS = [
    "/payments/{payment}/look",
    "/payments/{payment}/refund",
    "/payments/{payment}/refund-account",
    "/payments/{payment}/give-up",
    "/payments/{payment}/account",
    "/trades/{trade}/cancel",
    "/incidents/1",
]


Member = tuple[MemberSummary, TokenPair]


async def newcomer(market: Market, name: str) -> Member:
    member, pair = await market.members.sign_up(f"{name}@example.com", "no password", name)
    return member.person, pair


@pytest.fixture
async def boss(market: Market) -> Member:
    found = await newcomer(market, "하나")
    await market.members.set_operator("하나@example.com", "the tests", "to try it", operator=True)
    return found


@pytest.fixture
async def operator(market: Market, boss: Member) -> AsyncIterator[Browser]:
    async with browsing(market, boss[1]) as browser:
        yield browser


@pytest.fixture
async def buyer(market: Market) -> Member:
    return await newcomer(market, "buyer")


@pytest.fixture
async def owed(
    acts: Acts, market: Market, gateway: MemoryGateway, buyer: Member
) -> tuple[str, str]:
    """A deposit of a wrong amount: an incident, and money that waits to go back. The ids of its
    trade and payment."""
    product = await acts.product(await acts.member())
    trade = await market.trades.buy(product.id, buyer[0])
    means = Means(Method.VIRTUAL_ACCOUNT, Bank.KOOKMIN)
    payment = await market.payments.start(trade.id, trade.buyer.id, means)
    gateway.pay(payment.id, 999)
    await market.payments.synchronize(payment.id)
    return trade.id, payment.id


async def acted(market: Market) -> list[tuple[str, str, str]]:
    """What operators did, but for the appointment."""
    acts = await market.audit.list(None, 10)
    return [(act.act, act.subject, act.reason) for act in acts if act.act != "appoint"]


async def changes(db: Database) -> object:
    """What a console could change, in short."""
    return await db.fetch(
        """
        SELECT (SELECT count(*) FROM operator_acts), (SELECT count(*) FROM cancellations),
               (SELECT count(*) FROM incidents WHERE settled_at IS NULL),
               (SELECT count(*) FROM payment_events), (SELECT sum(version) FROM trades)
        """
    )


async def test_there_is_no_console_for_anybody_else(
    market: Market, db: Database, owed: tuple[str, str], operator: Browser, buyer: Member
) -> None:
    """Not for the buyer either, whose money it is."""
    names = {"trade": owed[0], "payment": owed[1]}
    for path in GETS:
        assert await operator.status(f"/console{path.format(**names)}") in {200, 303}, path
    before = await changes(db)
    async with browsing(market) as nobody, browsing(market, buyer[1]) as member:
        for browser in (nobody, member):
            for path in GETS:
                assert await browser.status(f"/console{path.format(**names)}") == 404, path
            await browser.open("/signup" if browser is nobody else "/me")
            for path in POSTS:
                sent = await browser.send(f"/console{path.format(**names)}", how="x", reason="x")
                assert sent.status_code == 404, path
                unsealed = await browser.post(f"/console{path.format(**names)}")
                assert unsealed.status_code == 404, path
    assert await changes(db) == before


async def test_a_form_that_is_not_ours_changes_nothing(
    db: Database, owed: tuple[str, str], operator: Browser
) -> None:
    before = await changes(db)
    for path in POSTS:
        address = f"/console{path.format(trade=owed[0], payment=owed[1])}"
        for seal in ({}, {"seal": "0" * 64}):
            sent = await operator.post(address, how="x", reason="x", **seal)
            assert sent.status_code == 403, path
    assert await changes(db) == before


async def test_an_operator_who_is_dismissed_is_out_at_once(
    market: Market, operator: Browser
) -> None:
    await operator.open("/console")
    await market.members.set_operator("하나@example.com", "a", "b", operator=False)
    assert await operator.status("/console") == 404


async def test_payments_are_found_by_whatever_names_them(
    acts: Acts, db: Database, operator: Browser
) -> None:
    trade, payment_id = await acts.paid_trade()
    _, other_payment = await acts.paid_trade()
    finds = [payment_id, trade.id, f"ref{payment_id}", "M2@EXAMPLE", "m2", trade.seller.nickname]
    for q in finds:
        text = await operator.open(f"/console/payments?q={q}")
        assert payment_id in text, q
        assert other_payment not in text, q
    assert other_payment in await operator.open("/console/payments?status=PAID")
    for q in (NOBODY, "m%", "_", "nobody", f"{SCRIPT}"):
        assert "찾는 결제가 없어요" in await operator.open(f"/console/payments?q={q}"), q
    assert "찾는 결제가 없어요" in await operator.open("/console/payments?status=FAILED")


async def test_a_buyer_without_an_address_is_shown_and_found_by_id(
    acts: Acts, db: Database, operator: Browser
) -> None:
    """As members are who sign in elsewhere."""
    trade, payment = await acts.paid_trade()
    await acts.paid_trade()
    await db.execute(
        "UPDATE members SET email = NULL, password_hash = NULL WHERE id = ANY ($1::uuid[])",
        [trade.buyer.id, trade.seller.id],
    )
    page = await operator.open(f"/console/payments/{payment}")
    assert "None" not in page
    for member in (trade.buyer.id, trade.seller.id):
        await operator.open(f"/console/payments?q={member}")
        assert re.findall(r'href="/console/payments/(\w+)"', operator.page) == [payment]
    await operator.open(f"/console/payments/{payment}")
    assert f'href="/console/payments?q={trade.buyer.id}"' in operator.page


async def test_a_list_is_turned_page_by_page(acts: Acts, db: Database, operator: Browser) -> None:
    payment = await acts.payment(await acts.trade())
    await db.execute(
        """
        INSERT INTO payments (id, trade_id, payer_id, title, gateway, method, amount, currency,
                              status, created_at)
        SELECT gen_random_uuid(), trade_id, payer_id, title, gateway, method, amount, currency,
               'EXPIRED', created_at FROM payments, generate_series(1, $1)
        """,
        ON_A_PAGE + 1,
    )
    found: list[str] = []
    path: str | None = "/console/payments?q=m"
    while path:
        await operator.open(path)
        found += re.findall(r"/console/payments/([0-9a-f]{32})", operator.page)
        more = re.search(r'href="(/console/payments\?[^"]*cursor=[^"]*)"', operator.page)
        path = unescape(more[1]) if more else None
    assert found == sorted(set(found), reverse=True)
    assert len(found) == ON_A_PAGE + 2
    assert payment.id in found


async def test_one_payment_tells_its_whole_history_in_order(
    acts: Acts, market: Market, operator: Browser
) -> None:
    trade, payment_id = await acts.paid_trade()
    await market.inbox.add("V1", payment_id, {"imp_uid": "imp_1", "status": "\0paid"})
    await market.sweep.hints()
    await operator.open(f"/console/payments/{payment_id}/refund")
    address = f"/console/payments/{payment_id}/refund"
    sent = await operator.send(address, amount="400", reason=f"a scratch {SCRIPT}")
    assert sent.headers["location"] == f"/console/payments/{payment_id}?say=console_refund_asked"
    again = await operator.send(address, amount="400", reason="a scratch")
    assert again.status_code == 303  # the same wish: nothing more goes back
    text = await operator.open(f"/console/payments/{payment_id}")
    for words in (
        "결제를 시작했어요",
        "결제사에 금액을 등록했어요",
        "결제 대금 입금",
        "웹훅을 받았어요",
        "imp_1",
        "운영자가 처리했어요",
        "일부 환불",
        "결제사에 환불을 요청했어요",
        "환불이 완료됐어요",
    ):
        assert words in text, words
    assert text.index("결제를 시작했어요") < text.index("결제사에 금액을 등록했어요")
    assert SCRIPT not in operator.page
    assert f"a scratch {SCRIPT}" in text
    assert (await market.payments.see(payment_id, trade.buyer.id)).cancelled == 400
    (act,) = await acted(market)
    assert act == ("send back 400", f"payment {payment_id}", f"a scratch {SCRIPT}")


async def test_a_refund_that_can_not_be_is_said_at_the_form(
    acts: Acts, market: Market, operator: Browser
) -> None:
    _, payment_id = await acts.paid_trade()
    address = f"/console/payments/{payment_id}/refund"
    await operator.open(address)
    for amount, reason in (("1001", "why"), ("0", "why"), ("x", "why"), ("400", " ")):
        sent = await operator.send(address, amount=amount, reason=reason)
        assert sent.status_code == 400, (amount, reason)
        assert "aria-invalid" in operator.page
    assert await acted(market) == []
    assert (await operator.send(address, reason="all of it")).status_code == 303
    (act,) = await acted(market)
    assert (act[0], act[2]) == ("cancel", "all of it")
    assert await operator.status(address) == 303  # nothing is left to send back


async def test_a_part_is_of_what_the_form_showed(
    acts: Acts, market: Market, operator: Browser
) -> None:
    """The buyer had 600 of 1,000 back meanwhile: 400 would be all of it."""
    trade, payment_id = await acts.paid_trade()
    address = f"/console/payments/{payment_id}/refund"
    await operator.open(address)
    await market.refunds.cancel(payment_id, trade.buyer.id, 600, "a scratch", None)
    assert (await operator.send(address, amount="400", reason="typed")).status_code == 400
    assert "그 사이에 남은 금액이 바뀌었어요" in operator.text
    assert 'value="typed"' in operator.page
    assert await acted(market) == []
    # The form shows by now what is left, and is sent again.
    assert (await operator.send(address, amount="150", reason="typed")).status_code == 303
    assert await acted(market) == [("send back 150", f"payment {payment_id}", "typed")]


async def test_a_form_that_is_sent_again_with_another_amount_is_refused(
    acts: Acts, market: Market, gateway: MemoryGateway, operator: Browser
) -> None:
    _, payment_id = await acts.paid_trade()
    address = f"/console/payments/{payment_id}/refund"
    for amount in ("250", "", "101"):
        await operator.open(address)
        form = operator.page
        sent = len(gateway.cancels)
        assert (await operator.send(address, amount="100", reason="a scratch")).status_code == 303
        again = await operator.send(address, amount=amount, reason="a scratch")
        assert (again.status_code, "이미 100원 환불을 요청했어요" in operator.text) == (400, True)
        assert len(gateway.cancels) == sent + 1
        # Whoever presses now has been told, and asks for another one.
        assert re.findall(r'name="wish" value="(\w+)"', form)[0] not in operator.page


async def test_a_refund_the_gateway_refused_is_told_to_the_operator(
    acts: Acts, market: Market, gateway: MemoryGateway, operator: Browser
) -> None:
    _, payment_id = await acts.paid_trade()
    address = f"/console/payments/{payment_id}/refund"
    gateway.refuse = "부분 취소가 안 되는 카드"
    await operator.open(address)
    refused = await operator.send(address, amount="100", reason="a scratch")
    assert (refused.status_code, "부분 취소가 안 되는 카드" in operator.text) == (400, True)
    gateway.refuse = None
    assert (await operator.send(address, amount="100", reason="a scratch")).status_code == 303
    assert gateway.cancels == [(payment_id, 100)]


async def test_a_deposit_goes_back_to_the_account_an_operator_was_told(
    market: Market, db: Database, gateway: MemoryGateway, owed: tuple[str, str], operator: Browser
) -> None:
    _, payment_id = owed
    waiting = await operator.open("/console/cancellations?state=waiting")
    assert "999원" in waiting
    address = f"/console/payments/{payment_id}/refund-account"
    await operator.open(address)
    assert (await operator.send(address, bank="SHINHAN", number="x")).status_code == 400
    account = {"bank": "SHINHAN", "number": "110123456789", "holder": "김보라"}
    assert (await operator.send(address, **account)).status_code == 303
    assert gateway.sent_to[0] is not None
    assert gateway.sent_to[0].number == account["number"]
    assert [act[0] for act in await acted(market)] == ["name a refund account"]
    seen = [await operator.open(f"/console{path}") for path in ("/acts", f"/payments/{payment_id}")]
    for text in seen:
        assert account["number"] not in text


async def test_a_refund_that_does_not_end_is_given_up(
    market: Market, owed: tuple[str, str], operator: Browser
) -> None:
    page, address = (f"/console/payments/{owed[1]}{path}" for path in ("", "/give-up"))
    assert "환불 중단" in await operator.open(page)
    assert "결제사에 더 이상 환불을 요청하지 않고" in await operator.open(address)
    assert (await operator.send(address, reason=" ")).status_code == 400
    assert (await operator.send(address, reason="paid out by hand")).status_code == 303
    assert "운영자가 환불을 중단했어요" in await operator.open(page)
    assert "환불 중단" not in await operator.open(page)
    assert [act[0] for act in await acted(market)] == ["give up a refund"]
    await operator.open("/console/incidents")
    assert (await operator.send(address, reason="again")).status_code == 409


async def test_where_a_bank_could_not_send_it_an_operator_sees_the_account(
    market: Market, gateway: MemoryGateway, owed: tuple[str, str], operator: Browser
) -> None:
    payment_id = PaymentId(owed[1])
    page, address = (f"/console/payments/{payment_id}{path}" for path in ("", "/account"))
    gateway.refunds_wait = True
    account = RefundAccount(Bank.SHINHAN, "110123456789", "김보라")
    payment = await market.payments.synchronize(payment_id)
    await market.refunds.send_to(payment_id, payment.payer, account)
    assert "은행에서 환불금을 송금하고 있어요" in await operator.open(page)
    assert (await operator.send(address)).status_code == 409
    gateway.transfer(payment_id, Transfer.FAILED)
    await market.payments.synchronize(payment_id)
    await market.refunds.send_to(payment_id, payment.payer, account)
    assert account.number not in await operator.open(page)
    assert account.number in (await operator.send(address)).text
    assert [act[0] for act in await acted(market)] == ["see a refund account"]
    assert account.number not in await operator.open("/console/acts")


async def test_an_incident_is_settled_in_the_name_of_who_is_signed_in(
    market: Market, db: Database, owed: tuple[str, str], operator: Browser
) -> None:
    assert "청구 금액과 다른 금액" in await operator.open("/console/incidents")
    assert (await operator.send("/console/incidents/1", how=" ")).status_code == 400
    assert (
        await operator.send("/console/incidents/1", how=f"told her {SCRIPT}")
    ).status_code == 303
    again = await operator.send("/console/incidents/1", how="again")
    assert again.status_code == 409
    for path in ("/incidents?state=settled", "/incidents/1", "/acts", f"/payments/{owed[1]}"):
        text = await operator.open(f"/console{path}")
        assert "하나" in text
        assert f"told her {SCRIPT}" in text
        assert SCRIPT not in operator.page
    assert [(act[0], act[1]) for act in await acted(market)] == [("settle", "incident 1")]
    assert (await operator.send("/console/incidents/99", how="x")).status_code == 404


async def test_an_unpaid_trade_is_called_off(acts: Acts, market: Market, operator: Browser) -> None:
    trade = await acts.trade()
    assert "아직 결제가 시작되지" in await operator.open(f"/console/payments?q={trade.id}")
    address = f"/console/trades/{trade.id}/cancel"
    await operator.open(address)
    assert (await operator.send(address, reason="stolen goods")).status_code == 303
    assert (await acts.now(trade)).status == "CANCELLED"
    assert await acted(market) == [("cancel", f"trade {trade.id}", "stolen goods")]


async def test_the_gateway_is_asked_at_once_and_that_is_noted(
    acts: Acts, market: Market, gateway: MemoryGateway, db: Database, operator: Browser
) -> None:
    payment = await acts.payment(await acts.trade())
    gateway.pay(payment.id, 1000)
    await operator.open(f"/console/payments/{payment.id}")
    assert (await operator.send(f"/console/payments/{payment.id}/look")).status_code == 303
    door = await db.fetch_value("SELECT door FROM payment_events ORDER BY id DESC LIMIT 1")
    assert door == "OPERATOR"
    assert [act[:2] for act in await acted(market)] == [("look", f"payment {payment.id}")]


async def test_operators_keep_their_hands_off_their_own_trades(
    acts: Acts,
    market: Market,
    gateway: MemoryGateway,
    db: Database,
    operator: Browser,
    boss: Member,
) -> None:
    trade = await market.trades.buy((await acts.product(await acts.member())).id, boss[0])
    payment_id = await acts.pay(trade)
    gateway.deposit_again(payment_id)
    await market.payments.synchronize(payment_id)
    incident = await db.fetch_value("SELECT id FROM incidents")
    before = await changes(db)
    page = f"/console/payments/{payment_id}"
    for path in (page, f"/console/incidents/{incident}"):
        assert "본인의 거래예요" in await operator.open(path)
        assert 'method="post" action="/console' not in operator.page
    assert await operator.status(f"{page}/refund") == 403
    await operator.open("/sell")
    seal = re.findall(r'name="seal" value="(\w+)"', operator.page)
    acts_of_theirs = (
        f"{page}/refund",
        f"{page}/refund-account",
        f"{page}/look",
        f"/console/trades/{trade.id}/cancel",
        f"/console/incidents/{incident}",
    )
    told = {**THEIRS, "reason": "mine", "how": "mine", "wish": NOBODY, "seal": seal[0]}
    for path in acts_of_theirs:
        answer = await operator.post(path, **told)
        assert (answer.status_code, "본인 거래는" in operator.text) == (403, True), path
    assert await changes(db) == before


async def test_an_incident_of_an_operators_trade_is_for_another_operator(
    acts: Acts, market: Market, gateway: MemoryGateway, operator: Browser, boss: Member
) -> None:
    """The operator sells: money went back after the sale, and who bears it is to be decided."""
    trade = await market.trades.buy((await acts.product(boss[0])).id, await acts.member())
    payment_id = await acts.pay(trade)
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    gateway.give_back(payment_id, 1000)
    await market.payments.synchronize(payment_id)
    await operator.open("/console/incidents/1")
    await operator.open("/sell")
    seal = re.findall(r'name="seal" value="(\w+)"', operator.page)
    own = await operator.post("/console/incidents/1", how="never mind", seal=seal[0])
    assert (own.status_code, "본인 거래는" in operator.text) == (403, True)
    assert [one.settlement async for one in market.operators.incidents()] == [None]
    _, pair = await newcomer(market, "another")
    await market.members.set_operator(
        "another@example.com", "the tests", "to try it", operator=True
    )
    async with browsing(market, pair) as another:
        await another.open("/console/incidents/1")
        done = await another.send("/console/incidents/1", how="the market bears it")
        assert done.status_code == 303
    assert [one async for one in market.operators.incidents()] == []


async def test_balances_statements_and_days_show_what_moved(
    acts: Acts, market: Market, clock: Clock, operator: Browser
) -> None:
    trade, _ = await acts.paid_trade()
    await market.trades.approve(trade.id, trade.seller.id)
    await market.trades.confirm(trade.id, trade.buyer.id)
    text = await operator.open("/console/ledger")
    for words in ("결제사 보관금 -1,000원", "수수료 수입 35원", "판매자 m1 965원"):
        assert words in text, words
    seller = f"/console/ledger/seller:{trade.seller.id}"
    day = clock.now().strftime("%Y-%m-%d")
    assert "965원" in await operator.open(seller)
    text = await operator.open(f"{seller}?from=2031-01-01&to=2031-01-02")
    assert "기초 잔액 965원 기말 잔액 965원" in text
    assert await operator.status(f"{seller}?from={day}x") == 400
    assert await operator.status("/console/ledger/seller:x") == 404
    await operator.open("/console?days=30")
    assert operator.page.count("<rect") == 2  # a sale, and its fee
    assert "1,000원 35원 1,000원 0원" in operator.text


async def test_jobs_show_what_ran_and_what_waits(
    acts: Acts, market: Market, db: Database, operator: Browser
) -> None:
    await market.inbox.add("V1", None, {"imp_uid": "imp_1"})
    await db.execute(
        """
        INSERT INTO pgqueuer_schedules (expression, entrypoint, last_run)
        VALUES ('* * * * *', 'holds', now())
        """
    )
    await db.execute(
        """
        INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, traceback)
        VALUES (1, 'exception', 0, 'hints',
                '{"exception_type": "OSError", "exception_message": "s3cret"}')
        """
    )
    text = await operator.open("/console/jobs")
    for words in ("결제 기한 만료 처리", "처리할 웹훅 1", "웹훅 처리 대기 1", "OSError"):
        assert words in text, words
    assert "s3cret" not in text


async def test_every_page_of_it_speaks_english(
    market: Market, owed: tuple[str, str], operator: Browser
) -> None:
    await operator.status("/lang/en")
    for path in GETS:
        if await operator.status(f"/console{path.format(trade=owed[0], payment=owed[1])}") == 200:
            main = operator.page[operator.page.index("<main") : operator.page.index("</main")]
            korean = set(re.findall(r"[가-힣]+", main)) - {"하나"}
            assert korean == set(), path
