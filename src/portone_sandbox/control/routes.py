"""What only a test may do: play the buyer, the bank and the console, and break things."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, Router, delete, get, post, put

from portone_sandbox.checkout import sdk_v1, sdk_v2
from portone_sandbox.checkout.sdk_result import sdk_result
from portone_sandbox.control.buyer import Amount, Name, PayOrder, act
from portone_sandbox.core import cancellations, payment_flow, virtual_accounts
from portone_sandbox.core.cancellations import CancelRequest
from portone_sandbox.core.errors import InvalidRequest, PaymentNotFound, Refused
from portone_sandbox.core.faults import FaultRule
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.money import LARGEST
from portone_sandbox.core.payments import Payment, VersionWord, in_capitals
from portone_sandbox.core.problem import show_error
from portone_sandbox.core.request import AnyRequest, TheWorld
from portone_sandbox.core.settings import Credentials, Settings
from portone_sandbox.core.state import World
from portone_sandbox.v1.schema import status_word
from portone_sandbox.webhooks.sender import TheSender

Body = TypeVar("Body")
Row = TypeVar("Row")


class WindowOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A call of the browser SDK: IMP.request_pay's or PortOne.requestPayment's params."""

    version: VersionWord
    params: dict[str, Any]


class CancelOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A cancel in the console: of everything left when `amount` is absent."""

    payment_id: Name
    amount: Amount | None = None
    reason: str = "관리자 콘솔에서 취소"


class FinishOrder(msgspec.Struct, forbid_unknown_fields=True):
    """The end of an asynchronous cancel."""

    payment_id: Name
    outcome: Literal["succeeded", "failed"] = "succeeded"
    cancellation_id: str | None = None


class DepositOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Money on its way to a virtual account."""

    account_number: Name
    amount: Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
    depositor: str = "홍길동"


class ClockOrder(msgspec.Struct, forbid_unknown_fields=True):
    """How to move the clock: by seconds, or to a moment."""

    advance: float | None = None
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class SettleOrder(msgspec.Struct, forbid_unknown_fields=True):
    """How long to wait for the sender."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 10.0


@get("/credentials")
async def get_credentials(world: TheWorld) -> Credentials:
    """The keys of both versions."""
    return world.credentials


@put("/credentials")
async def put_credentials(request: AnyRequest, world: TheWorld) -> Credentials:
    """Replace the keys; what is absent falls back to its default."""
    world.change_credentials(await _read(request, Credentials))
    return world.credentials


@post("/pay", status_code=200)
async def pay(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """The buyer at the window; answers what the SDK's callback would get."""
    payment = act(world, await _read(request, PayOrder))
    return sdk_result(payment, world.settings)


@post("/checkout", status_code=201)
async def open_window(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """Open a window as the browser SDK does; /control/pay then plays the buyer at it.

    409 `amount_not_equal_to_predefined` when another amount was registered.
    """
    order = await _read(request, WindowOrder)
    v1 = in_capitals(order.version) == "V1"
    reader = sdk_v1 if v1 else sdk_v2
    opening = reader.read_opening(order.params, world.now())
    return _show(world, payment_flow.open_checkout(world, opening))


@post("/deposit", status_code=200)
async def deposit(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """Money arrives at a virtual account; 409 when the bank turns it back."""
    order = await _read(request, DepositOrder)
    payment = virtual_accounts.deposit(world, order.account_number, order.amount, order.depositor)
    return _show(world, payment)


@post("/cancel", status_code=200)
async def cancel(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """A cancel in the gateway's console; a webhook tells of it."""
    order = await _read(request, CancelOrder)
    payment = find_paid(world, order.payment_id)
    asked = CancelRequest(reason=order.reason, trigger="CONSOLE", amount=order.amount)
    cancellations.cancel(world, payment, asked)
    return _show(world, payment)


@post("/cancellations", status_code=200)
async def finish_cancellation(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """End a cancel that was answered REQUESTED."""
    order = await _read(request, FinishOrder)
    payment = find_paid(world, order.payment_id)
    success = order.outcome == "succeeded"
    cancellations.finish(world, payment, order.cancellation_id, success=success)
    return _show(world, payment)


@get("/payments")
async def get_payments(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """What the gateway knows, oldest first: attempts, and what was registered.

    `payment_id` in the query picks one order or attempt.
    """
    payment_id = request.query_params.get("payment_id")
    found = world.store.list_payments()
    orders = world.store.list_orders()
    if payment_id is not None:
        found = [p for p in found if payment_id in (p.order_id, p.tx_id)]
        orders = [order for order in orders if order.id == payment_id]
    page, next_cursor = _page(request, found)
    shown = [_show(world, p) for p in page]
    return {"items": shown, "orders": orders, "next_cursor": next_cursor}


@get("/webhooks")
async def get_webhooks(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """Every send with every try, oldest first; of one `payment_id` where the query names it."""
    payment_id = request.query_params.get("payment_id")
    found = world.store.list_webhooks()
    if payment_id is not None:
        found = [w for w in found if payment_id in (w.order_id, w.tx_id)]
    page, next_cursor = _page(request, found)
    return {"items": page, "next_cursor": next_cursor}


@post("/webhooks/settle", status_code=200)
async def settle_webhooks(request: AnyRequest, sender: TheSender) -> dict[str, object]:
    """Wait until nothing is due or on its way, so that a test need not poll."""
    order = await _read(request, SettleOrder)
    return {"settled": await sender.settled(order.seconds)}


@get("/faults")
async def get_faults(world: TheWorld) -> dict[str, object]:
    """The rules in force."""
    return {"items": world.faults.rules, "next_cursor": None}


@post("/faults", status_code=201)
async def add_fault(request: AnyRequest, world: TheWorld) -> FaultRule:
    """Put a rule in force."""
    return world.faults.add(await _read(request, FaultRule))


@delete("/faults", status_code=204)
async def clear_faults(world: TheWorld) -> None:
    """No faults any more."""
    world.faults.clear()


@get("/clock")
async def get_clock(world: TheWorld) -> dict[str, object]:
    """The sandbox's time, and how far it was moved."""
    return {"now": world.now(), "offset_seconds": world.clock.offset}


@post("/clock", status_code=200)
async def move_clock(request: AnyRequest, world: TheWorld) -> dict[str, object]:
    """Move the clock; what falls due is done at once."""
    turn_clock(world, await _read(request, ClockOrder))
    return {"now": world.now(), "offset_seconds": world.clock.offset}


def turn_clock(world: World, order: ClockOrder) -> None:
    """Move the clock, and see to what fell due; raises InvalidRequest."""
    if (order.advance is None) == (order.at is None):
        raise InvalidRequest("give either advance or at")
    try:
        if order.at is not None:
            world.clock.set(order.at)
        else:
            world.clock.advance(order.advance or 0.0)
    except (OverflowError, ValueError) as error:
        raise InvalidRequest("beyond what a clock can show") from error
    virtual_accounts.expire_due(world)
    world.wake_sender()


@get("/settings")
async def get_settings(world: TheWorld) -> Settings:
    """The console's settings and the doubts' switches."""
    return world.settings


@put("/settings")
async def put_settings(request: AnyRequest, world: TheWorld) -> Settings:
    """Change what the body names; everything else stays."""
    current = msgspec.to_builtins(world.settings)
    changes = await _read(request, dict[str, object])
    try:
        world.change_settings(msgspec.convert({**current, **changes}, Settings))
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error
    return world.settings


@post("/reset", status_code=204)
async def reset(world: TheWorld, sender: TheSender) -> None:
    """Forget everything, and go back to how the sandbox was started."""
    sender.forget()
    world.reset()


def _page(request: AnyRequest, rows: list[Row]) -> tuple[list[Row], str | None]:
    """The rows that `limit` and `cursor` (a count of rows passed) ask for; all by default."""
    query = Fields(dict(request.query_params.items()))
    limit, start = query.integer("limit"), query.integer("cursor") or 0
    if start < 0 or (limit is not None and limit < 1):
        raise InvalidRequest("limit and cursor are counts")
    end = len(rows) if limit is None else start + limit
    return rows[start:end], str(end) if end < len(rows) else None


def find_paid(world: World, payment_id: str) -> Payment:
    """The attempt that a cancel means: by imp_uid, or the paid one of an order."""
    direct = world.store.find_payment(payment_id)
    if direct:
        return direct
    attempts = world.store.list_attempts(payment_id)
    if not attempts:
        raise PaymentNotFound
    return next((p for p in attempts if p.was_paid), attempts[-1])


def _show(world: World, payment: Payment) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(payment)
    return shown | {
        "v1_status": status_word(payment, world.settings),
        "cancelled": payment.cancelled,
        "cancellable": payment.cancellable,
    }


async def _read(request: AnyRequest, kind: type[Body]) -> Body:
    body = await request.body()
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(str(error)) from error


_STATUSES = {"INVALID_REQUEST": 400, "PAYMENT_NOT_FOUND": 404, "CHANNEL_NOT_FOUND": 404}


def refuse(_: AnyRequest, refusal: Refused) -> Response[bytes]:
    """A refusal as a problem document: 400, 404, or 409 for what the state forbids."""
    status = _STATUSES.get(refusal.type, 409)
    body = show_error(status, refusal.type.lower(), refusal.message)
    return Response(body, status_code=status, media_type="application/problem+json")


def router() -> Router:
    """Everything under /control."""
    return Router(
        path="/control",
        route_handlers=[
            get_credentials,
            put_credentials,
            open_window,
            pay,
            deposit,
            cancel,
            finish_cancellation,
            get_payments,
            get_webhooks,
            settle_webhooks,
            get_faults,
            add_fault,
            clear_faults,
            get_clock,
            move_clock,
            get_settings,
            put_settings,
            reset,
        ],
        exception_handlers={Refused: refuse},
    )
