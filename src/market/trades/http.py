"""The doors of trades. What moves money (pay, cancel) is behind the doors of payments."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation
from msgspec import Meta, Struct

from market.kit.concurrency.batching import QUEUE_LENGTH_MAX, Batcher
from market.kit.http.idempotency import EncodedResponse, ExecutionMode, Idempotency, IdempotencyKey
from market.kit.http.problems import problem_responses
from market.kit.http.request import (
    BEARER,
    PAGE_SIZE_DEFAULT,
    SINGLE_LINE,
    AccountIn,
    AppRequest,
    CursorParam,
    Idempotent,
    KeyParam,
    LimitParam,
    PageOut,
    SignedIn,
    page_request,
    page_response,
    parse_key,
    path_id,
    require_principal,
    to_response,
)
from market.shared import log_context
from market.shared.contracts import PaymentSummary, TradeSummary
from market.shared.errors import MarketError
from market.shared.ids import ProductId, TradeId
from market.shared.pagination import PageRequest
from market.shared.principals import MemberSummary, Party, Principal
from market.shared.text import line

from .domain import LONGEST_REASON, Order, Status, Trade
from .ports import CancelLimits, Refunds
from .service import TradeService

Service = NamedDependency[TradeService]


class BoughtOut(Struct):
    """The product as it was bought."""

    id: str
    name: str


class RefundOut(Struct):
    """Money of a payment that went back or is on its way, in minor units: who asked for it, why."""

    amount: int
    reason: str
    requested_by: Party
    status: str
    created_at: datetime


class ReceiptOut(Struct):
    """A trade's latest payment; amounts in minor units. `failure` is the gateway's reason."""

    id: str
    method: str
    status: str
    amount: int
    currency: str
    cancelled_amount: int
    failure: str | None
    refunds: list[RefundOut]

    @classmethod
    def of(cls, receipt: PaymentSummary) -> "ReceiptOut":
        return cls(
            receipt.id,
            receipt.method,
            receipt.status,
            receipt.total.amount,
            receipt.total.currency,
            receipt.cancelled_amount,
            receipt.failure,
            [
                RefundOut(one.amount, one.reason, one.requested_by, one.status, one.created_at)
                for one in receipt.refunds
            ],
        )


class TradeOut(Struct):
    """A trade; `price` is what it was at the moment of purchase, in minor units (R10)."""

    id: str
    product: BoughtOut
    buyer: MemberSummary
    seller: MemberSummary
    price: int
    currency: str
    status: Status
    hold_expires_at: datetime
    created_at: datetime
    paid_at: datetime | None
    approved_at: datetime | None
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    cancel_in_progress: bool
    refunded_amount: int

    @classmethod
    def of(cls, trade: Trade, **more: Any) -> Self:
        return cls(
            id=trade.id,
            product=BoughtOut(trade.product_id, trade.product_name),
            buyer=trade.buyer,
            seller=trade.seller,
            price=trade.price.amount,
            currency=trade.price.currency,
            status=trade.status,
            hold_expires_at=trade.hold_expires_at,
            created_at=trade.created_at,
            paid_at=trade.paid_at,
            approved_at=trade.approved_at,
            confirmed_at=trade.confirmed_at,
            cancelled_at=trade.cancelled_at,
            cancel_reason=trade.cancelling.reason if trade.cancelling else None,
            cancel_in_progress=trade.is_cancelling,
            refunded_amount=trade.refunded,
            **more,
        )


class TradeWithPayment(TradeOut, kw_only=True):
    payment: ReceiptOut | None


class BuyIn(Struct):
    """`expected_price` is the price the buyer saw, in minor units."""

    expected_price: Annotated[int, Meta(ge=1)] | None = None


class AgreeIn(Struct):
    """`expected_amount` is what the trade was about when it was seen: its price less what was
    refunded of it, in minor units."""

    expected_amount: Annotated[int, Meta(ge=0)] | None = None


class CancelIn(Struct):
    """`refund_account` is the buyer's, and needed for what was paid into a virtual account."""

    reason: Annotated[str, Meta(pattern=SINGLE_LINE, min_length=1, max_length=LONGEST_REASON)]
    refund_account: AccountIn | None = None


class Role(StrEnum):
    buyer = "buyer"
    seller = "seller"


_SIDE = {Role.buyer: Party.BUYER, Role.seller: Party.SELLER}


class Bought(Struct):
    """As much of an answer as the log needs."""

    id: str


class Counter(Batcher[tuple[IdempotencyKey | None, Order], EncodedResponse]):
    """Where buyers stand in line: those who wait at the same time are served in one transaction,
    with their keys and their answers, and are told after its commit (Q3)."""

    def __init__(
        self, trades: TradeService, idempotency: Idempotency, queue: int = QUEUE_LENGTH_MAX
    ) -> None:
        # The more, the fewer commits and the longer each of them holds its locks.
        super().__init__(
            "purchases", self._serve_all, batch_size=100, concurrency=1, queue_length=queue
        )
        self._trades = trades
        self._idempotency = idempotency

    async def serve(
        self,
        product_id: ProductId,
        buyer: Principal,
        key: IdempotencyKey | None,
        expected_price: int | None = None,
    ) -> EncodedResponse:
        """One buyer, once per key. Raises NotFound, OwnProduct, SoldOut, AlreadyBought …"""
        answer = await self.submit((key, Order(product_id, buyer.person, expected_price)))
        if not answer.problem:
            bought = msgspec.json.decode(answer.body, type=Bought)
            log_context.bind(trade_id=bought.id)
        return answer

    async def _serve_all(
        self, asks: Sequence[tuple[IdempotencyKey | None, Order]]
    ) -> Sequence[EncodedResponse | MarketError]:
        return await self._idempotency.answer_all(asks, self._sell)

    async def _sell(self, orders: Sequence[Order]) -> Sequence[EncodedResponse | MarketError]:
        return [
            EncodedResponse(201, msgspec.json.encode(TradeOut.of(told)))
            if isinstance(told, Trade)
            else told
            for told in await self._trades.buy_all(orders)
        ]


class TradeController(Controller):
    """Trades (R4, R5, R7)."""

    path = "/api"
    tags = ["trades"]
    security = BEARER

    @post(
        "/products/{product_id:str}/trades",
        responses=problem_responses(401, 403, 404, 409, 422, body=True),
    )
    async def buy(
        self,
        product_id: FromPath[str],
        request: AppRequest,
        counter: NamedDependency[Counter],
        data: JSONBody[BuyIn | None] = None,
        key: KeyParam = None,
    ) -> Response[TradeOut]:
        """Buys one unit [구매하기]: it is held for you until `hold_expires_at`.

        With `expected_price` at no other price: 409 `price_changed` says what it costs now.
        """
        once = await parse_key(request)
        id, price = ProductId(path_id(product_id)), data.expected_price if data else None
        return to_response(await counter.serve(id, require_principal(request), once, price))

    @get("/products/{product_id:str}/trades", responses=problem_responses(400, 401, 404))
    async def of_product(
        self,
        product_id: FromPath[str],
        caller: SignedIn,
        trades: Service,
        limit: LimitParam = PAGE_SIZE_DEFAULT,
        cursor: CursorParam = None,
    ) -> PageOut[TradeSummary]:
        """One's own trades of a product (R5), for its seller all of them: first those that wait for
        the seller, the cancelled ones last; of each kind the newest first."""
        id = ProductId(path_id(product_id))
        page = await trades.deals(id, caller.id, PageRequest(limit, cursor))
        return PageOut(list(page.items), page.next_cursor)

    @get("/trades/{trade_id:str}", responses=problem_responses(401, 404))
    async def show(
        self, trade_id: FromPath[str], caller: SignedIn, trades: Service
    ) -> TradeWithPayment:
        """A trade with its payment, for its parties and operators."""
        id = TradeId(path_id(trade_id))
        trade, receipt = await trades.see(id, caller.id, operator=caller.operator)
        payment = ReceiptOut.of(receipt) if receipt else None
        return TradeWithPayment.of(trade, payment=payment)

    @post(
        "/trades/{trade_id:str}/approve",
        status_code=200,
        responses=problem_responses(401, 403, 404, 409, 422, body=True),
    )
    async def approve(
        self,
        trade_id: FromPath[str],
        caller: SignedIn,
        trades: Service,
        idempotent: Idempotent,
        data: JSONBody[AgreeIn | None] = None,
        key: KeyParam = None,
    ) -> Response[TradeOut]:
        """Approves the sale [판매승인]: for the seller, once it is paid.

        With `expected_amount` of no other amount: 409 `amount_changed` when a part went back since.
        """
        expected = data.expected_amount if data else None

        async def work() -> TradeOut:
            id = TradeId(path_id(trade_id))
            return TradeOut.of(await trades.approve(id, caller.id, expected))

        return await idempotent(work)

    @post(
        "/trades/{trade_id:str}/confirm",
        status_code=200,
        responses=problem_responses(401, 403, 404, 409, 422, body=True),
    )
    async def confirm(
        self,
        trade_id: FromPath[str],
        caller: SignedIn,
        trades: Service,
        idempotent: Idempotent,
        data: JSONBody[AgreeIn | None] = None,
        key: KeyParam = None,
    ) -> Response[TradeOut]:
        """Confirms the purchase [구매확정]: for the buyer, once it is approved.

        With `expected_amount` of no other amount: 409 `amount_changed` when a part went back since.
        """
        expected = data.expected_amount if data else None

        async def work() -> TradeOut:
            id = TradeId(path_id(trade_id))
            return TradeOut.of(await trades.confirm(id, caller.id, expected))

        return await idempotent(work)

    @post(
        "/trades/{trade_id:str}/cancel",
        status_code=200,
        responses=problem_responses(401, 404, 409, 422, 429, body=True)
        | {202: ResponseSpec(TradeOut, description="the refund is under way")},
    )
    async def cancel(
        self,
        trade_id: FromPath[str],
        data: JSONBody[CancelIn],
        caller: SignedIn,
        trades: Service,
        refunds: NamedDependency[SkipValidation[Refunds]],
        payment_limits: NamedDependency[SkipValidation[CancelLimits]],
        idempotent: Idempotent,
        key: KeyParam = None,
    ) -> Response[TradeOut]:
        """Calls a trade off: the buyer until it is approved, the seller until it is confirmed,
        operators always; a confirmed one stands, and only its money goes back.

        202 while the money is on its way back; the unit is on sale again when it is (P7, P8). 409
        `refund_refused` when the gateway would not send it: the trade then goes on as it was.
        """
        id = TradeId(path_id(trade_id))
        await payment_limits.cancel(caller.id)  # safeguard: trade cancellations limited
        under_way = False

        async def work() -> TradeOut:
            nonlocal under_way
            account = data.refund_account.read() if data.refund_account else None
            operator, reason = caller.operator, line(data.reason)
            under_way = await refunds.cancel_purchase(
                id, caller.id, reason, account, operator=operator
            )
            trade, _ = await trades.see(id, caller.id, operator=operator)
            return TradeOut.of(trade)

        return await idempotent(
            work,
            status=lambda _: 202 if under_way else 200,
            mode=ExecutionMode.WITH_GATEWAY,
        )


class MyTradesController(Controller):
    """A member's own lists (R6); prices as bought (R10)."""

    path = "/api/me"
    tags = ["me"]
    security = BEARER

    @get("/purchases", responses=problem_responses(400, 401))
    async def purchases(
        self,
        caller: SignedIn,
        trades: Service,
        status: FromQuery[Status | None] = None,
        limit: LimitParam = PAGE_SIZE_DEFAULT,
        cursor: CursorParam = None,
    ) -> PageOut[TradeOut]:
        """What you bought [구매한 용품]: all but cancelled trades, or those of one `status`."""
        return page_response(
            await trades.purchases(caller.id, status, page_request(limit, cursor)), TradeOut.of
        )

    @get("/sales", responses=problem_responses(400, 401))
    async def sales(
        self,
        caller: SignedIn,
        trades: Service,
        status: FromQuery[Status | None] = None,
        limit: LimitParam = PAGE_SIZE_DEFAULT,
        cursor: CursorParam = None,
    ) -> PageOut[TradeOut]:
        """What you sold: all but cancelled trades, or those of one `status`."""
        return page_response(
            await trades.sales(caller.id, status, page_request(limit, cursor)), TradeOut.of
        )

    @get("/reservations", responses=problem_responses(400, 401))
    async def reservations(
        self,
        caller: SignedIn,
        trades: Service,
        role: FromQuery[Role | None] = None,
        limit: LimitParam = PAGE_SIZE_DEFAULT,
        cursor: CursorParam = None,
    ) -> PageOut[TradeOut]:
        """What is reserved [예약중인 용품]: running trades, as buyer, as seller, or both."""
        side = _SIDE[role] if role else None
        return page_response(
            await trades.reservations(caller.id, side, page_request(limit, cursor)), TradeOut.of
        )


ROUTES = (TradeController, MyTradesController)
