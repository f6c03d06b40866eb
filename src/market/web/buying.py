"""Buying and paying."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http.request import path_id
from market.payments.buyer import NOBODY
from market.payments.completions import Completions
from market.payments.demands import BankRefused
from market.payments.domain import Means, Method, Payment
from market.payments.domain import Status as Paid
from market.payments.limits import PaymentLimits
from market.payments.ports import GatewayRefused
from market.payments.refunds import RefundService
from market.payments.service import PaymentService
from market.products.domain import PriceChanged, Reserved, SoldOut
from market.shared.banking import Bank
from market.shared.errors import GatewayUnavailable
from market.shared.ids import PaymentId, ProductId
from market.shared.principals import Party
from market.trades.domain import AlreadyBought, HoldExpired, Status, Trade
from market.trades.service import TradeService

from .forms import Form, buyer_in
from .page import flash, go, render
from .trading import TradeView, load_trade_view
from .visitor import Here, Shop, Visitor

Trades = NamedDependency[TradeService]
Payments = NamedDependency[PaymentService]
Refunds = NamedDependency[RefundService]
Limits = NamedDependency[PaymentLimits]
Completing = NamedDependency[Completions]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]


class BuyingController(Controller):
    """From the buy button to the checkout window and back (R4, P1–P3)."""

    @post("/products/{product_id:str}/buy")
    async def buy(
        self, product_id: FromPath[str], request: Asked, visitor: Here, trades: Trades
    ) -> Response[Any]:
        """구매하기: holds a unit at the price that the page showed, and leads on to paying for it;
        at another price the buyer is asked again."""
        id, me = ProductId(path_id(product_id)), visitor.me
        seen = (await Form.of(request)).seen("price")
        try:
            trade = await trades.buy(id, me.person, seen)
        except (AlreadyBought, PriceChanged, SoldOut) as refusal:
            code = "reserved" if isinstance(refusal, Reserved) else refusal.code
            return flash(visitor, f"/products/{product_id}", code)
        return go(f"/trades/{trade.id}/checkout")

    @get("/trades/{trade_id:str}/checkout")
    async def checkout_page(
        self,
        trade_id: FromPath[str],
        visitor: Here,
        shop: House,
        trades: Trades,
        payments: Payments,
        refunds: Refunds,
    ) -> Response[Any]:
        """The choice between card and virtual account; who needs none goes on to the trade."""
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        if seen.party is not Party.BUYER or seen.trade.status is not Status.AWAITING_PAYMENT:
            return go(f"/trades/{trade_id}")
        return _checkout(shop, visitor, seen, payments, None)

    @post("/trades/{trade_id:str}/checkout")
    async def begin(
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
        """Begins to pay, the amount being ours to say (P2)."""
        seen = await load_trade_view(trade_id, visitor, trades, payments, refunds)
        form = await Form.of(request)
        method = form.choice("method", Method)
        deposit = method is Method.VIRTUAL_ACCOUNT
        bank = form.choice("bank", Bank) if deposit else None
        buyer = buyer_in(form, payments.demands.of(method)) if method else NOBODY
        if method is None or form.wrong:
            return _checkout(shop, visitor, seen, payments, form)
        await payment_limits.begin(visitor.me.id)  # safeguard: payment starts limited in the shop
        try:
            means = Means(method, bank)
            payment = await payments.start(seen.trade.id, visitor.me.id, means, buyer)
        except HoldExpired:
            return go(f"/trades/{trade_id}")
        except BankRefused as error:
            form.fault("bank", error.code)
            return _checkout(shop, visitor, seen, payments, form)
        except (GatewayUnavailable, GatewayRefused) as error:
            form.fault("method", error.code)
            return _checkout(shop, visitor, seen, payments, form)
        return go(f"/trades/{trade_id}" if deposit else f"/payments/{payment.id}/window")

    @get("/payments/{payment_id:str}/window")
    async def window(
        self,
        payment_id: FromPath[str],
        visitor: Here,
        shop: House,
        payments: Payments,
        trades: Trades,
    ) -> Response[Any]:
        """The page whose button opens the gateway's checkout window, as long as the unit is held.
        Beside the checkout page it is the only one with another's script."""
        payment = await payments.see(PaymentId(path_id(payment_id)), visitor.me.id)
        trade, _ = await trades.see(payment.trade_id, visitor.me.id)
        theirs = payment.payer == visitor.me.id
        if not theirs or not payment.opens_window or not trades.may_be_paid(trade):
            return go(f"/trades/{trade.id}")
        checkout = payments.checkout(payment)
        return render(
            shop,
            "window.html",
            visitor,
            sdk_url=checkout.sdk_url,
            payment=payment,
            trade=trade,
            checkout=checkout,
            params=msgspec.json.encode(checkout.params).decode(),
        )

    @post("/payments/{payment_id:str}/complete")
    async def complete(
        self,
        payment_id: FromPath[str],
        request: Asked,
        visitor: Here,
        payments: Payments,
        completions: Completing,
        trades: Trades,
    ) -> Response[Any]:
        """The window has closed: looks at the gateway's record, whatever the window said (P3)."""
        form = await Form.of(request)
        token = form.raw("payment_token")[:500] or None
        id = PaymentId(path_id(payment_id))
        return await _looked(id, visitor, payments, completions, trades, token)

    @get("/payments/{payment_id:str}/return")
    async def come_back(
        self,
        payment_id: FromPath[str],
        visitor: Here,
        payments: Payments,
        completions: Completing,
        trades: Trades,
    ) -> Response[Any]:
        """Where a phone's browser lands after the window: looking twice changes nothing (P5)."""
        id = PaymentId(path_id(payment_id))
        # On a channel with manual approval this charges, so it must not come from a mere link.
        return await _looked(id, visitor, payments, completions, trades, None)


async def _looked(
    id: PaymentId,
    visitor: Visitor,
    payments: PaymentService,
    completions: Completions,
    trades: TradeService,
    token: str | None,
) -> Response[Any]:
    me = visitor.me
    try:
        payment = await completions.complete(id, me.id, token)
    except GatewayUnavailable:
        # It may well have gone through: the worker looks again until it knows.
        payment = await payments.see(id, me.id)
        return flash(visitor, f"/trades/{payment.trade_id}", "looking")
    except GatewayRefused as refusal:
        payment = await payments.see(id, me.id)
        checkout = f"/trades/{payment.trade_id}/checkout"
        return flash(visitor, checkout, "pay_failed", refusal.detail)
    trade, _ = await trades.see(payment.trade_id, me.id)
    page = f"/trades/{trade.id}"
    match payment.status:
        case Paid.READY:
            return flash(visitor, f"{page}/checkout", "not_paid")
        case Paid.FAILED:
            return flash(visitor, f"{page}/checkout", "pay_failed", payment.failure or "")
    code = _outcome(payment, trade)
    return flash(visitor, page, code) if code else go(page)


def _outcome(payment: Payment, trade: Trade) -> str | None:
    """The flash of a payment that was looked at, if the trade's page does not say it all."""
    if payment.captured is None:
        return None
    if trade.payment_id == payment.id:
        return "paid" if trade.status is Status.PAID and not trade.is_busy else None
    # The gateway took money that the trade could not take: all of it goes back.
    return "came_too_late" if trade.payment_id or not trade.is_live else "not_taken"


def _checkout(
    shop: Shop, visitor: Visitor, seen: TradeView, payments: PaymentService, form: Form | None
) -> Response[str]:
    """The page has the window's script already: a window opens inside the press that begins."""
    return render(
        shop,
        "checkout.html",
        visitor,
        status=400 if form else 200,
        sdk_url=payments.sdk_url,
        view=seen,
        trade=seen.trade,
        demands=payments.demands,
        form=form,
    )
