"""The operators' console: what they do. Each act is in the audit log, with its reason."""

import secrets
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.console.ports import PaymentCase, TradeCase
from market.kit.http.request import path_id
from market.payments.cancellation import AlreadyAsked, RefundRefused
from market.payments.demands import Demands
from market.payments.incident import OwnTrade
from market.payments.operators import OperatorDesk
from market.payments.refunds import RefundService
from market.shared.errors import Conflict, NotFound
from market.shared.ids import CancellationId, PaymentId, TradeId, well_formed
from market.shared.money import Money
from market.trades.domain import LONGEST_REASON

from .console import House, Reads, show
from .forms import Form, account_in, refund_refused
from .page import flash, go
from .translation import gettext_noop as _
from .visitor import Here, Shop, Visitor

Desk = NamedDependency[OperatorDesk]
Refunds = NamedDependency[RefundService]
Asked = Request[Any, Any, State]

LONGEST_HOW = 1000
LARGEST_ID = 2**63 - 1


class ConsoleActionsController(Controller):
    """Everything that changes something."""

    @get("/incidents/{incident_id:int}")
    async def incident(
        self, incident_id: FromPath[int], visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        found = await console.incident(_number(incident_id))
        own = found.is_of(visitor.me.id)
        return show(shop, "incident", visitor, incident=found, own=own, form=None)

    @post("/incidents/{incident_id:int}")
    async def settle(
        self,
        incident_id: FromPath[int],
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        operators: Desk,
    ) -> Response[Any]:
        """Closes an incident for good, in the name of whoever is signed in."""
        id = _number(incident_id)
        form = await Form.of(request)
        how = form.line("how", most=LONGEST_HOW)
        if form.wrong:
            found, own = await console.incident(id), False
            return show(shop, "incident", visitor, status=400, incident=found, own=own, form=form)
        await operators.settle(id, visitor.me.id, how)
        return flash(visitor, f"/console/incidents/{id}", "console_settled")

    @get("/payments/{payment_id:str}/look")
    async def look_page(self, payment_id: FromPath[str]) -> Response[Any]:
        return go(f"/console/payments/{path_id(payment_id)}")

    @post("/payments/{payment_id:str}/look")
    async def look(
        self, payment_id: FromPath[str], visitor: Here, operators: Desk
    ) -> Response[Any]:
        """Asks the gateway now."""
        id = PaymentId(path_id(payment_id))
        await operators.look(id, visitor.me.id)
        return flash(visitor, f"/console/payments/{id}", "console_looked")

    @get("/payments/{payment_id:str}/refund")
    async def refund_page(
        self,
        payment_id: FromPath[str],
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        case = await console.payment(PaymentId(path_id(payment_id)))
        if not case.may_send_back:
            return go(f"/console/payments/{case.id}")
        _not_own(case.trade, visitor)
        return _refund_page(shop, visitor, case, await refunds.demands_of(case.id), None)

    @post("/payments/{payment_id:str}/refund")
    async def refund(
        self,
        payment_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        """Sends back all that is left or a part of it, to the account that the buyer told, where
        it was paid by deposit; without one, it waits for the buyer to say.

        A form that is sent twice is one wish; with another amount in it, it is refused.
        """
        case = await console.payment(PaymentId(path_id(payment_id)))
        _not_own(case.trade, visitor)
        form = await Form.of(request)
        reason = form.line("reason", most=LONGEST_REASON)
        part = bool(form.raw("amount").strip())
        amount = form.won("amount", 1, max(case.cancellable, 1)) if part else None
        demands = await refunds.demands_of(case.id)
        account = account_in(form, demands) if case.by_deposit and _names_account(form) else None
        wish = form.raw("wish")
        if form.wrong or not well_formed(wish):
            return _refund_page(shop, visitor, case, demands, form)
        try:
            await refunds.cancel(
                case.id,
                visitor.me.id,
                amount,
                reason,
                account,
                CancellationId(wish),
                expected=form.seen("left"),
                operator=True,
            )
        except RefundRefused as refusal:
            refund_refused(form, "amount", refusal)
            return _refund_page(shop, visitor, case, demands, form, again=True)
        except AlreadyAsked as refusal:
            asked = Money(int(refusal.context["amount"]))
            form.fault("amount", _("이 페이지에서 이미 {amount} 환불을 요청했어요."), amount=asked)
            return _refund_page(shop, visitor, case, demands, form, again=True)
        except Conflict as error:
            form.fault("amount", error.code)
            return _refund_page(shop, visitor, case, demands, form)
        return flash(visitor, f"/console/payments/{case.id}", "console_refund_asked")

    @get("/payments/{payment_id:str}/refund-account")
    async def refund_account_page(
        self,
        payment_id: FromPath[str],
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        case = await console.payment(PaymentId(path_id(payment_id)))
        if not case.waits_for_account:
            return go(f"/console/payments/{case.id}")
        _not_own(case.trade, visitor)
        demands = await refunds.demands_of(case.id)
        return _account_page(shop, visitor, case, demands, None)

    @post("/payments/{payment_id:str}/refund-account")
    async def refund_account(
        self,
        payment_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        """Names the account a buyer told us (P6)."""
        case = await console.payment(PaymentId(path_id(payment_id)))
        _not_own(case.trade, visitor)
        form = await Form.of(request)
        demands = await refunds.demands_of(case.id)
        account = account_in(form, demands)
        if account is None or form.wrong:
            return _account_page(shop, visitor, case, demands, form)
        try:
            await refunds.send_to(case.id, visitor.me.id, account, operator=True)
        except RefundRefused as refusal:
            refund_refused(form, "number", refusal)
            return _account_page(shop, visitor, case, demands, form)
        return flash(visitor, f"/console/payments/{case.id}", "console_refund_asked")

    @get("/payments/{payment_id:str}/account")
    async def account_page(self, payment_id: FromPath[str]) -> Response[Any]:
        return go(f"/console/payments/{path_id(payment_id)}")

    @post("/payments/{payment_id:str}/account")
    async def account(
        self,
        payment_id: FromPath[str],
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        """Shows where to send by hand what a bank could not; written down."""
        case = await console.payment(PaymentId(path_id(payment_id)))
        account = await refunds.account_to_pay(case.id, visitor.me.id)
        return show(shop, "account", visitor, case=case, account=account)

    @get("/payments/{payment_id:str}/give-up")
    async def give_up_page(
        self, payment_id: FromPath[str], visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        case = await console.payment(PaymentId(path_id(payment_id)))
        if not case.may_be_given_up:
            return go(f"/console/payments/{case.id}")
        _not_own(case.trade, visitor)
        return show(shop, "give_up", visitor, case=case, form=None)

    @post("/payments/{payment_id:str}/give-up")
    async def give_up(
        self,
        payment_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        """Decides that a refund which does not end is asked for no more."""
        case = await console.payment(PaymentId(path_id(payment_id)))
        _not_own(case.trade, visitor)
        form = await Form.of(request)
        reason = form.line("reason", most=LONGEST_REASON)
        if form.wrong:
            return show(shop, "give_up", visitor, status=400, case=case, form=form)
        await refunds.give_up(case.id, visitor.me.id, reason)
        return flash(visitor, f"/console/payments/{case.id}", "console_given_up")

    @get("/trades/{trade_id:str}/cancel")
    async def cancel_page(
        self, trade_id: FromPath[str], visitor: Here, shop: House, console: Reads
    ) -> Response[Any]:
        trade = await console.trade(TradeId(path_id(trade_id)))
        if not trade.may_be_called_off:
            return go(f"/console/payments?q={trade.id}")
        _not_own(trade, visitor)
        return show(shop, "cancel", visitor, trade=trade, form=None)

    @post("/trades/{trade_id:str}/cancel")
    async def cancel(
        self,
        trade_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        console: Reads,
        refunds: Refunds,
    ) -> Response[Any]:
        """Calls off a trade that nobody has paid."""
        trade = await console.trade(TradeId(path_id(trade_id)))
        _not_own(trade, visitor)
        form = await Form.of(request)
        reason = form.line("reason", most=LONGEST_REASON)
        if form.wrong:
            return show(shop, "cancel", visitor, status=400, trade=trade, form=form)
        await refunds.cancel_purchase(trade.id, visitor.me.id, reason, operator=True)
        return flash(visitor, f"/console/payments?q={trade.id}", "console_cancelled")


def _refund_page(
    shop: Shop,
    visitor: Visitor,
    case: PaymentCase,
    demands: Demands,
    form: Form | None,
    *,
    again: bool = False,
) -> Response[str]:
    """With `again`, the form makes a request of its own: the one before has had its answer."""
    status = 400 if form else 200
    sent = form.raw("wish") if form and not again else ""
    wish = sent if well_formed(sent) else secrets.token_hex(16)
    return show(
        shop, "refund", visitor, status=status, case=case, demands=demands, form=form, wish=wish
    )


def _account_page(
    shop: Shop, visitor: Visitor, case: PaymentCase, demands: Demands, form: Form | None
) -> Response[str]:
    status = 400 if form else 200
    return show(
        shop, "refund_account", visitor, status=status, case=case, demands=demands, form=form
    )


def _not_own(trade: TradeCase, visitor: Visitor) -> None:
    """Raises OwnTrade."""
    if trade.is_of(visitor.me.id):
        raise OwnTrade


def _names_account(form: Form) -> bool:
    return any(form.raw(name).strip() for name in ("bank", "number", "holder", "phone"))


def _number(id: int) -> int:
    if not 0 < id <= LARGEST_ID:
        raise NotFound
    return id
