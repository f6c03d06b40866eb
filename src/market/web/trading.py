"""A trade's page, for its two parties: what has happened, and what is theirs to do next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage

from market.kit.concurrency.notifier import Notifier
from market.kit.http.request import path_id
from market.payments.cancellation import RefundRefused
from market.payments.demands import NO_DEMANDS, Demands
from market.payments.domain import RefundAccountNeeded
from market.payments.limits import PaymentLimits
from market.payments.refunds import RefundService
from market.payments.service import PaymentService
from market.products.service import ProductService
from market.shared.banking import VirtualAccount
from market.shared.contracts import PaymentSummary
from market.shared.errors import AmountChanged
from market.shared.ids import PaymentId, TradeId
from market.shared.principals import Party
from market.trades.domain import LONGEST_REASON, MAY_CANCEL, Status, Trade
from market.trades.service import TradeService

from .forms import Form, account_in, refund_refused
from .page import flash, go, live_part, nothing_new, render, show_part
from .visitor import Here, Shop, Visitor

Trades = NamedDependency[TradeService]
Payments = NamedDependency[PaymentService]
Refunds = NamedDependency[RefundService]
Limits = NamedDependency[PaymentLimits]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]

# A stream ends after a while, and the browser opens the next: so no dead one is kept for long.
STREAM_LASTS_S = 50.0
# So soon it ends when the server stops: a stream must not hold it up.
BEAT_S = 1.0


_CAPTURED = {"PAID", "PARTIALLY_CANCELLED", "CANCELLED"}


@dataclass(frozen=True, slots=True)
class TradeView:
    """A trade as one of its parties sees it; `is_over` when its time to pay has run out, whether or
    not a worker has ended it yet."""

    trade: Trade
    party: Party
    receipt: PaymentSummary | None
    account: VirtualAccount | None
    waits_for_account: PaymentId | None
    is_over: bool

    @property
    def not_taken(self) -> PaymentSummary | None:
        """Money that came for the trade, which still waits to be paid, and could not be taken: it
        goes back, or is back."""
        if self.receipt is None or self.trade.status is not Status.AWAITING_PAYMENT:
            return None
        return self.receipt if self.receipt.status in _CAPTURED else None

    @property
    def declined(self) -> str | None:
        """The gateway's reason for the last attempt, if that failed."""
        failed = self.receipt is not None and self.receipt.status == "FAILED"
        return self.receipt.failure if failed and self.receipt else None

    @property
    def other(self) -> str:
        seller = self.trade.seller.nickname
        return seller if self.party is Party.BUYER else self.trade.buyer.nickname

    @property
    def may_cancel(self) -> bool:
        return self.trade.status in MAY_CANCEL[self.party] and not self.trade.is_busy

    @property
    def waits(self) -> bool:
        """Whether this page may change by itself."""
        over = self.trade.status in {Status.PURCHASE_CONFIRMED, Status.CANCELLED}
        return not over or self.by_deposit  # which may come too late

    @property
    def by_deposit(self) -> bool:
        return self.receipt is not None and self.receipt.method == "VIRTUAL_ACCOUNT"


async def load_trade_view(
    id: str,
    visitor: Visitor,
    trades: TradeService,
    payments: PaymentService,
    refunds: RefundService,
) -> TradeView:
    """Raises LoginRequired, NotFound."""
    me = visitor.me
    trade, receipt = await trades.see(TradeId(path_id(id)), me.id)
    party = trade.party(me.id)
    account = waiting = None
    if party is Party.BUYER and receipt is not None:
        waiting = await refunds.waiting_for_account(trade.id)
        if receipt.status == "VIRTUAL_ACCOUNT_ISSUED":  # any other is no place to pay into
            account = (await payments.see(receipt.id, me.id)).deposit_account
    return TradeView(trade, party, receipt, account, waiting, trades.is_over(trade))


class TradingController(Controller):
    """Seeing a trade through (R7, P7, P8)."""

    @get("/trades/{trade_id:str}")
    async def show(
        self,
        trade_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
        products: NamedDependency[ProductService],
    ) -> Response[Any]:
        """A trade, for its parties. With htmx, the part that changes alone; 204 when that is the
        one that is `shown` already."""
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        trade = seen.trade
        cover = (await products.covers([trade.product_id])).get(trade.product_id)
        version, part = live_part("_trade.html", visitor, view=seen, trade=trade, cover=cover)
        if request.headers.get("hx-request") != "true":
            return render(shop, "trade.html", visitor, view=seen, trade=trade, part=part)
        unchanged = request.query_params.get("shown") == version
        return nothing_new() if unchanged else show_part(part)

    @get("/trades/{trade_id:str}/events", cache_control=None)
    async def events(
        self,
        trade_id: FromPath[str],
        request: Asked,
        visitor: Here,
        trades: Trades,
        notifier: NamedDependency[Notifier],
    ) -> ServerSentEvent:
        """Tells the page when the trade has changed; never what: the page looks by itself."""
        id = TradeId(path_id(trade_id))
        await trades.see(id, visitor.me.id)
        return ServerSentEvent(
            changes(notifier, id, request.app.state.stopping),
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @post("/trades/{trade_id:str}/approve")
    async def approve(
        self, trade_id: FromPath[str], request: Asked, visitor: Here, trades: Trades
    ) -> Response[Any]:
        """판매승인, of the amount that the page showed; of another, the seller is asked again."""
        seen = (await Form.of(request)).seen("amount")
        try:
            await trades.approve(TradeId(path_id(trade_id)), visitor.me.id, seen)
        except AmountChanged as refusal:
            return flash(visitor, f"/trades/{trade_id}", refusal.code)
        return flash(visitor, f"/trades/{trade_id}", "approved")

    @post("/trades/{trade_id:str}/confirm")
    async def confirm(
        self, trade_id: FromPath[str], request: Asked, visitor: Here, trades: Trades
    ) -> Response[Any]:
        """구매확정, of the amount that the page showed; of another, the buyer is asked again."""
        seen = (await Form.of(request)).seen("amount")
        try:
            await trades.confirm(TradeId(path_id(trade_id)), visitor.me.id, seen)
        except AmountChanged as refusal:
            return flash(visitor, f"/trades/{trade_id}", refusal.code)
        return flash(visitor, f"/trades/{trade_id}", "confirmed")

    @get("/trades/{trade_id:str}/cancel")
    async def cancel_page(
        self,
        trade_id: FromPath[str],
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
    ) -> Response[Any]:
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        if not seen.may_cancel:
            return go(f"/trades/{trade_id}")
        return _cancel_page(shop, visitor, seen, await _demands(seen, refunds), None)

    @post("/trades/{trade_id:str}/cancel")
    async def cancel(
        self,
        trade_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
        payment_limits: Limits,
    ) -> Response[Any]:
        """결제취소: what was paid goes back, and then the unit is on sale again."""
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        form = await Form.of(request)
        reason = form.line("reason", most=LONGEST_REASON)
        demands = await _demands(seen, refunds)
        account = account_in(form, demands) if asks_account(seen) else None
        if not form.wrong:
            # safeguard: trade cancellations limited in the shop
            await payment_limits.cancel(visitor.me.id)
            try:
                await refunds.cancel_purchase(seen.trade.id, visitor.me.id, reason, account)
                return flash(visitor, f"/trades/{trade_id}", "cancelled")
            except RefundAccountNeeded as error:
                form.fault("bank", error.code)
            except RefundRefused as refusal:
                refund_refused(form, "reason", refusal)
        return _cancel_page(shop, visitor, seen, demands, form)

    @get("/trades/{trade_id:str}/refund-account")
    async def refund_account_page(
        self,
        trade_id: FromPath[str],
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
    ) -> Response[Any]:
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        if seen.waits_for_account is None:
            return go(f"/trades/{trade_id}")
        return _refund_account_page(shop, visitor, seen, await _demands(seen, refunds), None)

    @post("/trades/{trade_id:str}/refund-account")
    async def refund_account(
        self,
        trade_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
        payment_limits: Limits,
    ) -> Response[Any]:
        """Where a deposit that came too late or wrong is to go back to (P6)."""
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        form = await Form.of(request)
        if seen.waits_for_account is None:
            return go(f"/trades/{trade_id}")
        demands = await _demands(seen, refunds)
        account = account_in(form, demands)
        if account is None or form.wrong:
            return _refund_account_page(shop, visitor, seen, demands, form)
        await payment_limits.cancel(visitor.me.id)
        try:
            await refunds.send_to(seen.waits_for_account, visitor.me.id, account)
        except RefundRefused as refusal:
            refund_refused(form, "number", refusal)
            return _refund_account_page(shop, visitor, seen, demands, form)
        return flash(visitor, f"/trades/{trade_id}", "refund_account")


def asks_account(seen: TradeView) -> bool:
    """A deposit goes back to an account that the buyer alone can name."""
    return seen.party is Party.BUYER and seen.by_deposit and seen.trade.holds_money


async def _demands(seen: TradeView, refunds: RefundService) -> Demands:
    """What must be known to send the trade's money back."""
    if seen.waits_for_account is not None:
        return await refunds.demands_of(seen.waits_for_account)
    if seen.receipt is not None:
        return await refunds.demands_of(seen.receipt.id)
    return NO_DEMANDS


def _cancel_page(
    shop: Shop, visitor: Visitor, seen: TradeView, demands: Demands, form: Form | None
) -> Response[str]:
    return render(
        shop,
        "cancel.html",
        visitor,
        status=400 if form else 200,
        view=seen,
        trade=seen.trade,
        asks_account=asks_account(seen),
        demands=demands,
        form=form,
    )


def _refund_account_page(
    shop: Shop, visitor: Visitor, seen: TradeView, demands: Demands, form: Form | None
) -> Response[str]:
    return render(
        shop,
        "refund_account.html",
        visitor,
        status=400 if form else 200,
        view=seen,
        trade=seen.trade,
        demands=demands,
        form=form,
    )


async def changes(
    notifier: Notifier, id: TradeId, stopping: Callable[[], bool]
) -> AsyncIterator[ServerSentEventMessage]:
    """An event at once, for what happened before we listened, then one for each change."""
    async with notifier.subscribe(id) as subscription:
        yield ServerSentEventMessage(data="now", event="ready", retry=1000)
        ends = asyncio.get_running_loop().time() + STREAM_LASTS_S
        while asyncio.get_running_loop().time() < ends and not stopping():
            if await subscription.wait(BEAT_S):
                yield ServerSentEventMessage(data="now", event="changed")
