"""The test-only API: plays the buyer, the bank and the console, and injects faults."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from litestar import Response, Router, delete, get, post, put

from portone_sandbox.checkout import sdk_v1, sdk_v2
from portone_sandbox.checkout.sdk_result import sdk_result
from portone_sandbox.control.buyer import Amount, Name, PayRequest, act, find_waiting
from portone_sandbox.control.inventory import drop_store, drop_stores, get_operations, get_stores
from portone_sandbox.core import cancellations, payment_flow, virtual_accounts
from portone_sandbox.core.cancellations import CancelRequest
from portone_sandbox.core.errors import InvalidRequest, Refused
from portone_sandbox.core.faults import FaultRule
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.money import AMOUNT_MAX
from portone_sandbox.core.payments import Payment, RefundStatus, VersionParam, to_version
from portone_sandbox.core.problem import problem_document
from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.settings import CancelMode, Credentials, Settings
from portone_sandbox.core.state import Kept, SandboxState
from portone_sandbox.v1.schema import v1_status
from portone_sandbox.webhooks.confirmation import confirm
from portone_sandbox.webhooks.sender import SenderDep

Body = TypeVar("Body")
Row = TypeVar("Row")
_ENTRIES_DEFAULT = 100


class OpenWindowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A call of the browser SDK: IMP.request_pay's or PortOne.requestPayment's params."""

    version: VersionParam
    params: dict[str, Any]


class ConsoleCancelRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A cancellation in the console, of the whole remaining amount if `amount` is absent."""

    payment_id: Name
    amount: Amount | None = None
    reason: str = "관리자 콘솔에서 취소"
    mode: CancelMode = "sync"
    console: Literal["portone", "company"] = "portone"


class FinishCancellationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The outcome of an asynchronous cancellation."""

    payment_id: Name
    outcome: Literal["succeeded", "failed"] = "succeeded"
    cancellation_id: str | None = None


class FinishRefundRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The outcome of the transfer into the buyer's account after a cancellation."""

    payment_id: Name
    status: RefundStatus = "COMPLETED"


class DepositRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A deposit into a virtual account."""

    account_number: Name
    amount: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
    depositor: str = "홍길동"


class ClockRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A clock change: by seconds (under either name), or to a moment; standing still or running."""

    advance_seconds: float | None = None
    advance: float | None = None
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    freeze: bool | None = None


class ResetRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The parts of the state that a reset keeps."""

    keep: list[Kept] = msgspec.field(default_factory=lambda: ["tokens"])


class FlushRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How long to wait for the webhook sender."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 10.0


@get("/credentials")
async def get_credentials(sandbox: SandboxDep) -> Credentials:
    """The keys of both versions."""
    return sandbox.credentials


@put("/credentials")
async def put_credentials(request: AnyRequest, sandbox: SandboxDep) -> Credentials:
    """Replace the keys; what is absent falls back to its default."""
    sandbox.change_credentials(await _read(request, Credentials))
    return sandbox.credentials


@post("/pay", status_code=200)
async def pay(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Play the buyer at the window; responds with the value of the SDK's callback."""
    body = await _read(request, PayRequest)
    waiting = find_waiting(sandbox, body)
    refused = await confirm(sandbox, waiting) if waiting else None
    payment = act(sandbox, body, refused)
    return sdk_result(payment, sandbox.settings)


@post("/checkout", status_code=201)
async def open_window(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Open a window as the browser SDK does; /control/pay then plays the buyer.

    409 `amount_not_equal_to_predefined` when another amount was registered.
    """
    body = await _read(request, OpenWindowRequest)
    v1 = to_version(body.version) == "V1"
    reader = sdk_v1 if v1 else sdk_v2
    opening = reader.read_opening(body.params, sandbox.now())
    return _show(sandbox, payment_flow.open_checkout(sandbox, opening))


@post("/deposit", status_code=200)
async def deposit(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Deposit into a virtual account; 409 if the bank rejects the transfer."""
    body = await _read(request, DepositRequest)
    payment = virtual_accounts.deposit(sandbox, body.account_number, body.amount, body.depositor)
    return _show(sandbox, payment)


@post("/cancel", status_code=200)
async def cancel(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Cancel in PortOne's console, with a webhook; or in the company's own, unknown to PortOne."""
    body = await _read(request, ConsoleCancelRequest)
    payment = find_paid(sandbox, body.payment_id)
    if body.console == "company":
        cancellations.cancel_at_company(sandbox, payment, body.amount)
        return _show(sandbox, payment)
    cancellation = CancelRequest(
        reason=body.reason, trigger="CONSOLE", amount=body.amount, mode=body.mode
    )
    cancellations.cancel(sandbox, payment, cancellation)
    return _show(sandbox, payment)


@post("/cancellations", status_code=200)
async def finish_cancellation(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Finish a cancellation that is REQUESTED."""
    body = await _read(request, FinishCancellationRequest)
    payment = find_paid(sandbox, body.payment_id)
    success = body.outcome == "succeeded"
    cancellations.finish(sandbox, payment, body.cancellation_id, success=success)
    return _show(sandbox, payment)


@post("/refunds", status_code=200)
async def finish_refund(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """End the transfer into the buyer's account; 409 if the payment has none."""
    body = await _read(request, FinishRefundRequest)
    payment = find_paid(sandbox, body.payment_id)
    cancellations.finish_refund(sandbox, payment, body.status)
    return _show(sandbox, payment)


@get("/payments")
async def get_payments(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Every attempt and registered order, oldest first.

    `payment_id` in the query picks one order or attempt.
    """
    payment_id = request.query_params.get("payment_id")
    found = sandbox.store.list_payments()
    orders = sandbox.store.list_orders()
    if payment_id is not None:
        found = [p for p in found if payment_id in (p.order_id, p.tx_id)]
        orders = [body for body in orders if body.id == payment_id]
    page, next_cursor = _page(request, found)
    shown = [_show(sandbox, p) for p in page]
    return {"items": shown, "orders": orders, "next_cursor": next_cursor}


@get("/webhooks")
async def get_webhooks(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Every webhook with its attempts, oldest first; `payment_id` in the query selects."""
    payment_id = request.query_params.get("payment_id")
    found = sandbox.store.list_webhooks()
    if payment_id is not None:
        found = [w for w in found if payment_id in (w.order_id, w.tx_id)]
    page, next_cursor = _page(request, found)
    return {"items": page, "next_cursor": next_cursor}


@get("/journal")
async def get_journal(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Every call with the reason of its refusal, newest first, in memory only.

    `payment_id` selects the calls that name an order or one of its attempts, `status` those with
    that status, `refused=true` those with a reason; `limit` counts [100].
    """
    query = Fields(dict(request.query_params.items()))
    wanted = query.integer("limit")
    limit = _ENTRIES_DEFAULT if wanted is None else wanted
    if limit < 1:
        raise InvalidRequest("limit is a count")
    payment_id = query.text("payment_id")
    found = sandbox.journal.find(
        ids=None if payment_id is None else _ids_of(sandbox, payment_id),
        status=query.integer("status"),
        refused=query.flag("refused"),
        limit=limit,
    )
    return {"items": found, "next_cursor": None}


def _ids_of(sandbox: SandboxState, payment_id: str) -> set[str]:
    """An order's id with those of its attempts, by either."""
    direct = sandbox.store.find_payment(payment_id)
    order_id = direct.order_id if direct else payment_id
    return {order_id, *(p.tx_id for p in sandbox.store.list_attempts(order_id))}


@post("/webhooks/settle", status_code=200)
async def flush_webhooks(request: AnyRequest, sender: SenderDep) -> dict[str, object]:
    """Wait until no webhook is due or being sent, so that a test need not poll."""
    body = await _read(request, FlushRequest)
    return {"settled": await sender.flushed(body.seconds)}


@get("/faults")
async def get_faults(sandbox: SandboxDep) -> dict[str, object]:
    """The active fault rules."""
    return {"items": sandbox.faults.rules, "next_cursor": None}


@post("/faults", status_code=201)
async def add_fault(request: AnyRequest, sandbox: SandboxDep) -> FaultRule:
    """Activate a fault rule."""
    return sandbox.faults.add(await _read(request, FaultRule))


@delete("/faults", status_code=204)
async def clear_faults(sandbox: SandboxDep) -> None:
    """Remove every fault rule."""
    sandbox.faults.clear()


@get("/clock")
async def get_clock(sandbox: SandboxDep) -> dict[str, object]:
    """The sandbox's time, its offset from the wall clock, and whether it stands still."""
    return _show_clock(sandbox)


@post("/clock", status_code=200)
async def move_clock(request: AnyRequest, sandbox: SandboxDep) -> dict[str, object]:
    """Move, stop or start the clock; everything that falls due happens at once."""
    set_clock(sandbox, await _read(request, ClockRequest))
    return _show_clock(sandbox)


def _show_clock(sandbox: SandboxState) -> dict[str, object]:
    clock = sandbox.clock
    return {"now": clock.now(), "offset_seconds": clock.offset, "frozen": clock.frozen}


def set_clock(sandbox: SandboxState, body: ClockRequest) -> None:
    """Change the clock, and process everything that fell due; raises InvalidRequest."""
    moves = [move for move in (body.advance_seconds, body.advance, body.at) if move is not None]
    if len(moves) > 1 or (not moves and body.freeze is None):
        raise InvalidRequest("give either advance_seconds or at, or freeze alone")
    seconds = body.advance_seconds or body.advance or 0.0
    try:
        sandbox.clock.change(at=body.at, seconds=seconds, freeze=body.freeze)
    except (OverflowError, ValueError) as error:
        raise InvalidRequest("beyond what a clock can show") from error
    process_due(sandbox)


def process_due(sandbox: SandboxState) -> None:
    """Process everything that fell due when the clock was changed."""
    virtual_accounts.expire_due(sandbox)
    sandbox.wake_sender()


@get("/settings")
async def get_settings(sandbox: SandboxDep) -> Settings:
    """The console's settings and the switches for undocumented behaviour."""
    return sandbox.settings


@put("/settings")
async def put_settings(request: AnyRequest, sandbox: SandboxDep) -> Settings:
    """Change the named settings; omitted ones stay."""
    named = await _read(request, dict[str, object])
    try:
        sandbox.change_settings(named)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error)) from error
    return sandbox.settings


@post("/reset", status_code=204)
async def reset(request: AnyRequest, sandbox: SandboxDep, sender: SenderDep) -> None:
    """Delete everything that is not to be kept, and return to the settings of the start."""
    body = await _read(request, ResetRequest)
    sender.cancel_deliveries()
    sandbox.reset(body.keep)


def _page(request: AnyRequest, rows: list[Row]) -> tuple[list[Row], str | None]:
    """The rows that `limit` and `cursor` (a count of rows passed) ask for; all by default."""
    query = Fields(dict(request.query_params.items()))
    limit, start = query.integer("limit"), query.integer("cursor") or 0
    if start < 0 or (limit is not None and limit < 1):
        raise InvalidRequest("limit and cursor are counts")
    end = len(rows) if limit is None else start + limit
    return rows[start:end], str(end) if end < len(rows) else None


def find_paid(sandbox: SandboxState, payment_id: str) -> Payment:
    """The attempt to cancel: by imp_uid, or the paid one of an order."""
    direct = sandbox.store.find_payment(payment_id)
    if direct:
        return direct
    return cancellations.find_attempt_of(sandbox, payment_id)


def _show(sandbox: SandboxState, payment: Payment) -> dict[str, object]:
    shown: dict[str, object] = msgspec.to_builtins(payment)
    refund = payment.account_refund
    return shown | {
        "v1_status": v1_status(payment, sandbox.settings),
        "cancelled": payment.cancelled,
        "cancellable": payment.cancellable,
        "account_refund_status": refund.status_at(sandbox.now()) if refund else None,
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
    body = problem_document(status, refusal.type.lower(), refusal.message)
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
            finish_refund,
            get_payments,
            get_webhooks,
            get_journal,
            flush_webhooks,
            get_faults,
            add_fault,
            clear_faults,
            get_clock,
            move_clock,
            get_settings,
            put_settings,
            reset,
            get_stores,
            drop_stores,
            drop_store,
            get_operations,
        ],
        exception_handlers={Refused: refuse},
    )
