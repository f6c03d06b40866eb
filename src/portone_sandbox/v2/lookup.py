"""V2's lookups: one payment, lists, attempts and banks."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime, timedelta

from litestar import Response, get
from litestar.params import FromPath

from portone_sandbox.core import banks
from portone_sandbox.core.errors import InvalidRequest, PaymentNotFound
from portone_sandbox.core.near_misses import explain_unknown_order
from portone_sandbox.core.payment_flow import Opening, preview
from portone_sandbox.core.payments import Payment, Status
from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v2.auth import check_store
from portone_sandbox.v2.bodies import CursorBody, Filter, ListBody, read_body, read_id
from portone_sandbox.v2.responses import respond
from portone_sandbox.v2.schema import show_payment, show_transaction

_PERIOD_MAX = timedelta(days=90)
_FILTER_STATUSES = {status.value for status in Status} | {"PENDING"}


@get("/banks")
async def get_banks(request: AnyRequest) -> Response[bytes]:
    """The banks that open virtual accounts here; needs no credential."""
    await read_body(request, dict[str, object])
    shown = [{"bank": b.name, "name": {"ko": b.korean}} for b in banks.BY_NAME.values()]
    return respond({"items": shown})


@get("/payments/{payment_id:str}")
async def get_payment(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """One payment through its deciding attempt: the paid one, or else the newest."""
    check_store(sandbox, request.query_params.get("storeId"))
    return respond(show_payment(sandbox, get_current(sandbox, read_id(payment_id))))


@get("/payments/{payment_id:str}/transactions")
async def get_transactions(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Every attempt of a payment, newest first."""
    check_store(sandbox, request.query_params.get("storeId"))
    attempts = sandbox.store.list_attempts(read_id(payment_id))
    if not attempts:
        raise PaymentNotFound("결제 건이 존재하지 않습니다.")
    return respond({"items": [show_transaction(sandbox, p) for p in reversed(attempts)]})


@get("/payments")
async def list_payments(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """A filtered page of payments."""
    body = await read_body(request, ListBody)
    check_store(sandbox, body.filter.store_id)
    found = _sorted(_filtered(sandbox, body.filter), body.filter)
    start = body.page.number * body.page.size
    items = [show_payment(sandbox, p) for p in found[start : start + body.page.size]]
    page = {"number": body.page.number, "size": body.page.size, "totalCount": len(found)}
    return respond({"items": items, "page": page})


@get("/payments-by-cursor")
async def list_by_cursor(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Every payment of a window, oldest first; go on from the last item's cursor."""
    body = await read_body(request, CursorBody)
    check_store(sandbox, body.store_id)
    since, until = _window(sandbox, body.from_, body.until)
    found = [p for p in _current_of_all(sandbox) if since <= p.requested_at <= until]
    if body.cursor is not None:
        found = _after(found, body.cursor)
    items = [
        {"payment": show_payment(sandbox, p), "cursor": _cursor(p)} for p in found[: body.size]
    ]
    return respond({"items": items})


LOOKUPS = [get_payment, get_transactions, list_payments, list_by_cursor]


def find_current(sandbox: SandboxState, payment_id: str) -> Payment | None:
    """The deciding attempt of a payment, if a window was ever opened."""
    return _deciding(sandbox.store.list_attempts(payment_id))


def get_current(sandbox: SandboxState, payment_id: str) -> Payment:
    """The deciding attempt; raises PaymentNotFound.

    A pre-registered payment whose window never opened is found only with v2_preregistered_lookup.
    """
    current = find_current(sandbox, payment_id)
    order = sandbox.store.find_order(payment_id)
    if current is None and order and sandbox.settings.v2_preregistered_lookup:
        opening = Opening(order_id=order.id, version=order.version, amount=order.amount or 0)
        return preview(sandbox, opening, order)
    if current is None:
        explain_unknown_order(sandbox.store, payment_id, "V2")
        raise PaymentNotFound("결제 건이 존재하지 않습니다.")
    return current


def _deciding(attempts: list[Payment]) -> Payment | None:
    paid = [p for p in attempts if p.was_paid]
    known = paid or attempts
    return known[-1] if known else None


def _current_of_all(sandbox: SandboxState) -> list[Payment]:
    by_order: dict[str, list[Payment]] = {}
    for payment in sandbox.store.list_payments():
        by_order.setdefault(payment.order_id, []).append(payment)
    current = [_deciding(attempts) for attempts in by_order.values()]
    return sorted((p for p in current if p), key=lambda p: p.requested_at)


def _window(
    sandbox: SandboxState, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    end = until or sandbox.now()
    try:
        start = since or end - _PERIOD_MAX
    except OverflowError as error:
        raise InvalidRequest("until is too early") from error
    if start > end:
        raise InvalidRequest("from is later than until")
    return start, end


def _filtered(sandbox: SandboxState, wanted: Filter) -> list[Payment]:
    since, until = _window(sandbox, wanted.from_, wanted.until)
    # Absent means STATUS_CHANGED_AT.
    by_status = wanted.timestamp_type != "CREATED_AT"
    statuses = set(wanted.status or _FILTER_STATUSES)
    if not statuses <= _FILTER_STATUSES:
        raise InvalidRequest("unknown status")
    tests: list[Callable[[Payment], bool]] = [
        lambda p: since <= (p.status_changed_at if by_status else p.requested_at) <= until,
        # The filter says PENDING where the payment says PAY_PENDING.
        lambda p: p.status.replace("PAY_PENDING", "PENDING") in statuses or p.status in statuses,
        lambda p: not wanted.methods or p.method in wanted.methods,
        lambda _: wanted.is_test is not False,
        lambda p: wanted.version in (None, p.version),
        lambda p: wanted.currency in (None, p.currency),
    ]
    return [p for p in _current_of_all(sandbox) if all(test(p) for test in tests)]


def _sorted(payments: list[Payment], wanted: Filter) -> list[Payment]:
    by_status = wanted.sort_by == "STATUS_CHANGED_AT"
    ascending = wanted.sort_order == "ASC"
    return sorted(
        payments,
        key=lambda p: p.status_changed_at if by_status else p.requested_at,
        reverse=not ascending,
    )


def _cursor(payment: Payment) -> str:
    return base64.urlsafe_b64encode(payment.order_id.encode()).decode()


def _after(payments: list[Payment], cursor: str) -> list[Payment]:
    try:
        last = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidRequest("cursor is not one of ours") from error
    ids = [p.order_id for p in payments]
    return payments[ids.index(last) + 1 :] if last in ids else []
