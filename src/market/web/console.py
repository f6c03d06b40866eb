"""The operators' console: what they read. To everybody else there is no such page."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath, SkipValidation

from market.console.ports import Console
from market.kit.http.request import page_request, path_id
from market.ledger.service import Ledger
from market.members.service import MemberService
from market.payments.domain import Status
from market.shared.clock import Clock
from market.shared.errors import Invalid, NotFound
from market.shared.ids import MemberId, PaymentId, TradeId, well_formed
from market.shared.money import KRW
from market.shared.pagination import PageRequest
from market.shared.text import line

from .chart import bars
from .console_filters import describe
from .page import render
from .translation import KOREA
from .translation import gettext_noop as _
from .visitor import Here, Shop, Visitor, provide_visitor

ON_A_PAGE = 30
SEARCH_LENGTH_MAX = 100
SPANS = (14, 30, 90)
CANCELLATIONS = {
    "under-way": _("진행 중"),
    "waiting": _("계좌 대기"),
    "failed": _("실패"),
    "done": _("환불 완료"),
}
_ACCOUNT = re.compile(r"[a-z]+|seller:[0-9a-f]{32}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

Reads = NamedDependency[SkipValidation[Console]]
Time = NamedDependency[SkipValidation[Clock]]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]


async def operators_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """The guard of the whole console. Raises NotFound for all but operators, who are asked for by
    the database at each request: who was dismissed is out at once."""
    request: Request[Any, Any, State] = Request(connection.scope, connection.receive)
    visitor = await provide_visitor(request)
    if visitor.caller is None or not visitor.caller.operator:
        raise NotFound


def show(
    shop: Shop, name: str, visitor: Visitor, *, status: int = 200, **facts: Any
) -> Response[str]:
    """A page of the console."""
    return render(shop, f"console/{name}.html", visitor, status=status, **facts)


class ConsoleController(Controller):
    """Everything that changes nothing."""

    @get("/")
    async def front(
        self,
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        clock: Time,
    ) -> Response[Any]:
        """What waits for somebody, and sales and fees by day."""
        now = clock.now()
        span = request.query_params.get("days", "")
        count = int(span) if span in {str(one) for one in SPANS} else SPANS[0]
        days = await console.days(now - timedelta(days=count - 1), count)
        return show(
            shop,
            "front",
            visitor,
            pending=await console.pending(now),
            days=days,
            span=count,
            spans=SPANS,
            sold=bars([day.sold for day in days]),
            fees=bars([day.fees for day in days]),
        )

    @get("/payments")
    async def payments(
        self, request: Asked, visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        q = _text(request, "q")
        chosen = request.query_params.get("status", "")
        status = chosen if chosen in list(Status) else None
        page = await console.payments(q, status, page_request(ON_A_PAGE, _cursor(request)))
        trade = None
        if not page.items and well_formed(q):
            try:
                trade = await console.trade(TradeId(q))
            except NotFound:
                trade = None
        return show(
            shop,
            "payments",
            visitor,
            page=page,
            q=q,
            chosen=status or "",
            statuses=list(Status),
            trade=trade,
        )

    @get("/payments/{payment_id:str}")
    async def payment(
        self, payment_id: FromPath[str], visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        """One payment, and everything that ever happened to it."""
        id = PaymentId(path_id(payment_id))
        case = await console.payment(id)
        history = [describe(one) for one in await console.history(id)]
        own = case.trade.is_of(visitor.me.id)
        return show(shop, "payment", visitor, case=case, history=history, own=own)

    @get("/incidents")
    async def incidents(
        self, request: Asked, visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        settled = request.query_params.get("state") == "settled"
        page = await console.incidents(
            settled=settled, wanted=PageRequest(ON_A_PAGE, _cursor(request))
        )
        return show(shop, "incidents", visitor, page=page, settled=settled)

    @get("/cancellations")
    async def cancellations(
        self, request: Asked, visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        state = request.query_params.get("state", "")
        state = state if state in CANCELLATIONS else "under-way"
        page = await console.cancellations(state, PageRequest(ON_A_PAGE, _cursor(request)))
        return show(shop, "cancellations", visitor, page=page, state=state, states=CANCELLATIONS)

    @get("/ledger")
    async def balances(
        self, request: Asked, visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        page = await console.accounts(PageRequest(ON_A_PAGE, _cursor(request)))
        return show(shop, "ledger", visitor, page=page)

    @get("/ledger/{account:str}")
    async def statement(
        self,
        account: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        ledger: NamedDependency[Ledger],
        members: NamedDependency[MemberService],
    ) -> Response[Any]:
        """An account from the beginning of one day in Korea to the end of another."""
        currency = request.query_params.get("currency", KRW)
        if not _ACCOUNT.fullmatch(account) or not _CURRENCY.fullmatch(currency):
            raise NotFound
        first, last = _date(request, "from"), _date(request, "to")
        until = last + timedelta(days=1) if last else None
        found = await ledger.statement(
            account, first, until, currency, PageRequest(ON_A_PAGE, _cursor(request))
        )
        _, _, seller = account.partition(":")
        return show(
            shop,
            "statement",
            visitor,
            statement=found,
            owner=(await members.get(MemberId(seller))).nickname if seller else None,
            first=request.query_params.get("from", ""),
            last=request.query_params.get("to", ""),
        )

    @get("/jobs")
    async def jobs(
        self,
        visitor: Here,
        shop: House,
        console: Reads,
        clock: Time,
    ) -> Response[Any]:
        return show(
            shop,
            "jobs",
            visitor,
            timetable=await console.timetable(),
            queue=await console.queue(),
            failures=await console.failures(ON_A_PAGE),
            pending=await console.pending(clock.now()),
        )

    @get("/acts")
    async def acts(
        self, request: Asked, visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        """The audit log, the newest first."""
        page = await console.acts(PageRequest(ON_A_PAGE, _cursor(request)))
        return show(shop, "acts", visitor, page=page)


def _cursor(request: Asked) -> str | None:
    text = request.query_params.get("cursor", "")
    return text if text.isprintable() and text else None


def _text(request: Asked, name: str) -> str:
    return line(request.query_params.get(name, "").replace("\0", ""))[:SEARCH_LENGTH_MAX]


def _date(request: Asked, name: str) -> datetime | None:
    """The beginning of a day in Korea. Raises Invalid."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=KOREA)
        return day.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise Invalid(f"{name} is no date.") from cause
