"""The doors of payments: paying, completing, and the gateway's webhooks."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, SkipValidation
from msgspec import Meta, Struct

from market.kit.http.client_ip import ClientIpResolver
from market.kit.http.idempotency import ExecutionMode
from market.kit.http.problems import problem_responses
from market.kit.http.request import (
    BEARER,
    PHONE_LENGTH_MAX,
    SINGLE_LINE,
    AccountIn,
    Idempotent,
    KeyParam,
    SignedIn,
    parse_bank,
    parse_phone,
    path_id,
)
from market.shared.banking import VirtualAccount
from market.shared.clock import Clock
from market.shared.errors import Invalid
from market.shared.ids import CancellationId, PaymentId, TradeId
from market.shared.principals import Principal
from market.shared.text import line

from .buyer import EMAIL, LONGEST_EMAIL, LONGEST_NAME, NOBODY, Buyer
from .completions import Completions
from .domain import Means, Method, Payment, Status
from .limits import PaymentLimits
from .ports import Checkout, Seal, Sources
from .refunds import RefundService
from .service import PaymentService
from .webhooks import WebhookReceiver

Service = NamedDependency[PaymentService]
Limits = NamedDependency[PaymentLimits]

LARGEST_WEBHOOK = 64 * 1024
LONGEST_REASON = 200


class Offered(StrEnum):
    """How a buyer may ask to pay."""

    CARD = "CARD"
    VIRTUAL_ACCOUNT = "VIRTUAL_ACCOUNT"


class BuyerIn(Struct):
    """What the payment company must be told of a buyer: where it needs something that is not given,
    the answer is `buyer_needed`, which names it."""

    name: Annotated[str, Meta(pattern=SINGLE_LINE, max_length=LONGEST_NAME)] | None = None
    phone: Annotated[str, Meta(max_length=PHONE_LENGTH_MAX, examples=["010-1234-5678"])] | None = (
        None
    )
    email: Annotated[str, Meta(pattern=f"^{EMAIL}$(?!\\n)", max_length=LONGEST_EMAIL)] | None = None

    def read(self) -> Buyer:
        """Raises Invalid for what is no phone number."""
        phone = parse_phone(self.phone) if self.phone else ""
        return Buyer((self.name or "").strip(), phone, self.email or "")


class PayIn(Struct):
    method: Offered
    bank: Annotated[str, Meta(max_length=20)] | None = None
    buyer: BuyerIn | None = None


class CancelIn(Struct):
    """`amount` in minor units, null for all that is left; `refund_account` is the buyer's, and
    needed for what was paid into a virtual account. `expected_amount` is what was left of the
    payment when it was seen, in minor units."""

    reason: Annotated[str, Meta(pattern=SINGLE_LINE, min_length=1, max_length=LONGEST_REASON)]
    amount: Annotated[int, Meta(ge=1)] | None = None
    refund_account: AccountIn | None = None
    expected_amount: Annotated[int, Meta(ge=0)] | None = None


class CompleteIn(Struct):
    payment_token: Annotated[str, Meta(max_length=500)] | None = None


class CheckoutOut(Struct):
    """What the browser needs: load `sdk_url`; then, for version V1, `IMP.init(init)` and
    `IMP.request_pay(params)`, and for V2 `PortOne.requestPayment(params)`."""

    version: str
    sdk_url: str
    init: str
    params: dict[str, Any]

    @classmethod
    def of(cls, checkout: Checkout) -> "CheckoutOut":
        return cls(checkout.version, checkout.sdk_url, checkout.init, dict(checkout.params))


class PaymentOut(Struct):
    """A payment; amounts in minor units. `method` is how it was paid, as far as the gateway has
    told: a checkout window may offer more than what was asked for. `checkout` is there as long as
    it can be paid by card, `virtual_account` as long as a deposit is awaited there; both for the
    buyer alone."""

    id: str
    trade_id: str
    amount: int
    currency: str
    cancelled_amount: int
    method: Method
    status: Status
    created_at: datetime
    paid_at: datetime | None
    failure: str | None
    checkout: CheckoutOut | None
    virtual_account: VirtualAccount | None

    @classmethod
    def of(cls, payment: Payment, payments: PaymentService, viewer: Principal) -> "PaymentOut":
        """As its buyer sees it, or, without the means to pay, its seller; why a card was declined
        is no matter of theirs."""
        theirs = payment.payer == viewer.id
        checkout = payments.checkout(payment) if theirs and payment.opens_window else None
        return cls(
            id=payment.id,
            trade_id=payment.trade_id,
            amount=payment.amount.amount,
            currency=payment.amount.currency,
            cancelled_amount=payment.cancelled,
            method=payment.paid_with,
            status=payment.status,
            created_at=payment.created_at,
            paid_at=payment.paid_at,
            failure=payment.failure if theirs or viewer.operator else None,
            checkout=CheckoutOut.of(checkout) if checkout else None,
            virtual_account=payment.deposit_account if theirs else None,
        )


class PaymentController(Controller):
    """Paying (P1–P3)."""

    path = "/api"
    tags = ["payments"]
    security = BEARER

    @post(
        "/trades/{trade_id:str}/payment",
        responses=problem_responses(401, 403, 404, 409, 422, 429, 502, body=True),
    )
    async def start(
        self,
        trade_id: FromPath[str],
        data: JSONBody[PayIn],
        caller: SignedIn,
        payments: Service,
        idempotent: Idempotent,
        payment_limits: Limits,
        key: KeyParam = None,
    ) -> Response[PaymentOut]:
        """Begins to pay: the amount is ours to say, and registered with the gateway first."""
        await payment_limits.begin(caller.id)  # safeguard: payment starts limited

        async def work() -> PaymentOut:
            id = TradeId(path_id(trade_id))
            means = Means(Method(data.method), parse_bank(data.bank) if data.bank else None)
            buyer = data.buyer.read() if data.buyer else NOBODY
            payment = await payments.start(id, caller.id, means, buyer)
            return PaymentOut.of(payment, payments, caller)

        return await idempotent(work, status=201, mode=ExecutionMode.WITH_GATEWAY)

    @get("/payments/{payment_id:str}", responses=problem_responses(401, 404))
    async def show(
        self,
        payment_id: FromPath[str],
        caller: SignedIn,
        payments: Service,
    ) -> PaymentOut:
        """A payment, for the parties of its trade and operators."""
        id = PaymentId(path_id(payment_id))
        payment = await payments.see(id, caller.id, operator=caller.operator)
        return PaymentOut.of(payment, payments, caller)

    @post(
        "/payments/{payment_id:str}/cancel",
        status_code=200,
        responses=problem_responses(401, 404, 409, 422, 429, body=True)
        | {202: ResponseSpec(PaymentOut, description="the money is on its way back")},
    )
    async def cancel(
        self,
        payment_id: FromPath[str],
        data: JSONBody[CancelIn],
        caller: SignedIn,
        payments: Service,
        refunds: NamedDependency[RefundService],
        idempotent: Idempotent,
        payment_limits: Limits,
        key: KeyParam = None,
    ) -> Response[PaymentOut]:
        """Sends money back: `amount` of it, or all that is left, which calls the trade off.

        A buyer whose late or wrong deposit waits to go back names the `refund_account` here.
        Operators may send money back even after the confirmation; the sale then stands (P8). 409
        `refund_refused` tells the gateway's reason; `refund_already_asked`, that a request with
        this key, whose answer is forgotten, asked for it before. A gateway allows few cancels, so
        of one payment its buyer and seller send at most three parts back (`too_many_refunds`), each
        of at least 100 won and 1 % of the payment (`refund_too_small`); all of it always may. With
        `expected_amount` only of so much: 409 `amount_changed` when other money went back since, of
        which a part may be the rest by now.
        """
        id = PaymentId(path_id(payment_id))
        await payment_limits.cancel(caller.id)  # safeguard: refunds limited
        under_way = False

        async def work() -> PaymentOut:
            nonlocal under_way
            account = data.refund_account.read() if data.refund_account else None
            reason = line(data.reason)
            wish = CancellationId(idempotent.operation_id) if idempotent.operation_id else None
            payment = await refunds.cancel(
                id,
                caller.id,
                data.amount,
                reason,
                account,
                wish,
                expected=data.expected_amount,
                operator=caller.operator,
            )
            under_way = await refunds.is_under_way(id)
            return PaymentOut.of(payment, payments, caller)

        def status(_: PaymentOut) -> int:
            return 202 if under_way else 200

        return await idempotent(work, status=status, mode=ExecutionMode.WITH_GATEWAY)

    @post(
        "/payments/{payment_id:str}/complete",
        status_code=200,
        responses=problem_responses(401, 404, 409, 422, 429, 502, body=True),
    )
    async def complete(
        self,
        payment_id: FromPath[str],
        caller: SignedIn,
        payments: Service,
        idempotent: Idempotent,
        completions: NamedDependency[Completions],
        data: JSONBody[CompleteIn | None] = None,
        key: KeyParam = None,
    ) -> Response[PaymentOut]:
        """The checkout window has closed: asks the gateway what came of it, and tells.

        On a channel with manual approval the window gave a `payment_token`: this charges it. Who
        asks again and again without news is kept waiting, a second for each look beyond the fifth.
        """
        token = data.payment_token if data else None

        async def work() -> PaymentOut:
            id = PaymentId(path_id(payment_id))
            payment = await completions.complete(id, caller.id, token)
            return PaymentOut.of(payment, payments, caller)

        return await idempotent(work, mode=ExecutionMode.WITH_GATEWAY)


class Stored(Struct):
    stored: bool = True


@post(
    "/webhooks/portone/v1",
    status_code=200,
    tags=["webhooks"],
    request_max_body_size=LARGEST_WEBHOOK,
    responses=problem_responses(401, 404, 429, body=True),
)
async def receive_v1(
    request: Request[Any, Any, State],
    webhooks: NamedDependency[WebhookReceiver],
    sources: NamedDependency[SkipValidation[Sources]],
    client_ips: NamedDependency[SkipValidation[ClientIpResolver]],
) -> Stored:
    """PortOne V1's webhook, JSON or form. It is not signed, so it is only a hint to look (P3).

    What it says of orders that are not ours leaves nothing; where V1 is not in use, and no payment
    of V1 is meant, there is no such door.
    """
    sources.admit(client_ips.client_ip(request))
    body = _webhook(await request.body(), request.headers.get("content-type", ""))
    await webhooks.unsigned(body.get("merchant_uid", ""), body, client_ips.rate_limit_key(request))
    return Stored()


@post(
    "/webhooks/portone/v2",
    status_code=200,
    tags=["webhooks"],
    request_max_body_size=LARGEST_WEBHOOK,
    responses=problem_responses(401, body=True),
)
async def receive_v2(
    request: Request[Any, Any, State],
    webhooks: NamedDependency[WebhookReceiver],
    seal: NamedDependency[SkipValidation[Seal]],
    clock: NamedDependency[SkipValidation[Clock]],
) -> Stored:
    """PortOne V2's webhook, signed (Standard Webhooks). Believed no more than V1's: a hint."""
    # The bytes as they came: parsed and written again they would not be what was signed.
    body = await request.body()
    # safeguard: webhooks verified before they are read
    seal.verify(request.headers, body, clock.now())
    hints = _event(body)
    await webhooks.signed(hints.get("paymentId", ""), hints)
    return Stored()


# The last is for what is nested deeper than anybody can read.
_NO_JSON = (ValueError, msgspec.MsgspecError, RecursionError)
# Neither webhook-id nor timestamp: two sends of one event are one hint.
_EVENT_HINTS = ("storeId", "paymentId", "transactionId", "cancellationId")


def _event(body: bytes) -> Mapping[str, str]:
    """What a V2 webhook tells. PortOne adds types and fields unannounced: nothing comes of one
    without a payment. Raises Invalid for what is no JSON object."""
    try:
        given = msgspec.json.decode(body, type=dict[str, Any])
    except _NO_JSON as cause:
        raise Invalid("A webhook is a JSON object.") from cause
    data = given.get("data")
    told = {"type": given.get("type")} | (data if isinstance(data, dict) else {})
    return {
        name: str(told[name])[:_LONGEST_HINT] for name in ("type", *_EVENT_HINTS) if told.get(name)
    }


_HINTS = ("imp_uid", "merchant_uid", "status", "cancellation_id")
_LONGEST_HINT = 100


def _webhook(body: bytes, content_type: str) -> Mapping[str, str]:
    """The few fields a V1 webhook has; anything else in it is dropped. Raises Invalid."""
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            given: Mapping[str, Any] = dict(parse_qsl(body.decode(), max_num_fields=20))
        else:
            given = msgspec.json.decode(body, type=dict[str, Any])
        hints = {name: str(given[name])[:_LONGEST_HINT] for name in _HINTS if given.get(name)}
    except _NO_JSON as cause:
        raise Invalid("A webhook is a JSON object or a form.") from cause
    if "merchant_uid" not in hints and "imp_uid" not in hints:
        raise Invalid("A webhook names a payment.")
    return hints


ROUTES = (PaymentController, receive_v1, receive_v2)
