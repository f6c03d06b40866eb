"""V1's lookups: one payment, many, by order, by status, and the balance of one."""

from datetime import UTC, datetime, timedelta

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from portone_sandbox.core.errors import InvalidRequest, PaymentNotFound
from portone_sandbox.core.fields import Fields, read_fields, read_list
from portone_sandbox.core.journal import explain, watch_unread
from portone_sandbox.core.near_misses import explain_unknown_order
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.request import AnyRequest, SandboxDep, read_path
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v1.schema import (
    STATUSES,
    envelope,
    show_balance,
    show_page,
    show_payment,
    v1_status,
)

# PortOne documents GET; older clients post their lookups.
LOOKUP_VERBS = [HttpMethod.GET, HttpMethod.POST]
_NOT_FOUND = "존재하지 않는 결제정보입니다."
_PERIOD_MAX = timedelta(days=90)
_IDS_MAX = 100
_ROWS_MAX = 1000
_ROWS_DEFAULT = 20
_SORT_KEYS = {"started": "requested_at", "paid": "paid_at", "updated": "updated_at"}


def visible(payment: Payment) -> Payment:
    """The payment, if V1 knows it; V2's are not found here."""
    if payment.version != "V1":
        explain("a payment of V2 has this id, which V1 does not show")
        raise PaymentNotFound
    return payment


def not_found() -> Response[bytes]:
    """V1's response to an unknown id."""
    return envelope(None, code=-1, message=_NOT_FOUND, status=404)


def _bad(message: str) -> Response[bytes]:
    return envelope(None, code=-1, message=message, status=400)


async def _query(request: AnyRequest) -> Fields:
    """The query's fields; those of the body as well, if the lookup is posted."""
    if request.method == "POST":
        return await read_fields(request)
    fields = Fields(dict(request.query_params.items()))
    watch_unread(fields.unread)
    return fields


@route("/payments/{imp_uid:str}", http_method=LOOKUP_VERBS, status_code=200)
async def get_payment(
    request: AnyRequest, imp_uid: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """One payment; those of test channels only where include_sandbox asks for them."""
    try:
        payment = visible(sandbox.get_payment(imp_uid))
    except PaymentNotFound:
        return not_found()
    asked_for_tests = (await _query(request)).flag("include_sandbox")
    if sandbox.settings.v1_lookup_hides_test and not asked_for_tests:
        explain("test payment: include_sandbox=true is missing (v1_lookup_hides_test)")
        return not_found()
    return envelope(show_payment(payment, sandbox.settings))


@route("/payments/{imp_uid:str}/balance", http_method=LOOKUP_VERBS, status_code=200)
async def get_balance(imp_uid: FromPath[str], sandbox: SandboxDep) -> Response[bytes]:
    """Tax parts of one payment, with their history."""
    try:
        return envelope(show_balance(visible(sandbox.get_payment(imp_uid))))
    except PaymentNotFound:
        return not_found()


@route("/payments", http_method=LOOKUP_VERBS, status_code=200)
async def get_payments(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Up to 100 payments by id; 207 when some are unknown."""
    query = await _query(request)
    imp_uids = read_list(request, query, "imp_uid")
    merchant_uids = read_list(request, query, "merchant_uid")
    wanted = len(imp_uids) + len(merchant_uids)
    if wanted > _IDS_MAX:
        return envelope([], code=1, message=f"한 번에 {_IDS_MAX}건까지 조회할 수 있습니다.")
    found = [sandbox.store.find_payment(imp_uid) for imp_uid in imp_uids]
    for merchant_uid in merchant_uids:
        attempts = sandbox.store.list_attempts(merchant_uid, "V1")
        found.append(attempts[-1] if attempts else None)
    shown = [
        show_payment(p, sandbox.settings)
        for p in found
        if p and p.version == "V1" and not sandbox.settings.v1_list_hides_test
    ]
    if found and sandbox.settings.v1_list_hides_test:
        explain("test payments: v1_list_hides_test hides them")
    if not shown:
        return envelope([], code=-1, message=_NOT_FOUND, status=404)
    return envelope(shown, status=200 if len(shown) == wanted else 207)


@route(
    [
        "/payments/find/{merchant_uid:str}",
        "/payments/find/{merchant_uid:str}/{payment_status:str}",
    ],
    http_method=LOOKUP_VERBS,
    status_code=200,
)
async def find_payment(
    request: AnyRequest,
    merchant_uid: FromPath[str],
    sandbox: SandboxDep,
    payment_status: FromPath[str | None] = None,
) -> Response[bytes]:
    """The newest attempt of an order, of one status where one is given."""
    if payment_status not in (None, *STATUSES):
        return not_found()
    found = _of_status(sandbox, _attempts(sandbox, merchant_uid), payment_status)
    if not found:
        return not_found()
    newest = _sorted(found, _sorting(await _query(request)))[0]
    return envelope(show_payment(newest, sandbox.settings))


@route(
    [
        "/payments/findAll/{merchant_uid:str}",
        "/payments/findAll/{merchant_uid:str}/{payment_status:str}",
    ],
    http_method=LOOKUP_VERBS,
    status_code=200,
)
async def find_payments(
    request: AnyRequest,
    merchant_uid: FromPath[str],
    sandbox: SandboxDep,
    payment_status: FromPath[str | None] = None,
) -> Response[bytes]:
    """Every attempt of an order, in pages."""
    if payment_status not in (None, *STATUSES):
        return _bad("올바르지 않은 payment_status 입니다.")
    attempts = _attempts(sandbox, merchant_uid)
    if not attempts:
        return not_found()
    return _page(await _query(request), sandbox, _of_status(sandbox, attempts, payment_status))


@route("/payments/status/{payment_status:str}", http_method=LOOKUP_VERBS, status_code=200)
async def list_by_status(
    request: AnyRequest, payment_status: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Payments of one status within at most 90 days."""
    if payment_status not in STATUSES:
        return _bad("올바르지 않은 payment_status 입니다.")
    try:
        since, until = _window(await _query(request), sandbox.now())
    except InvalidRequest as refusal:
        return _bad(refusal.message)
    found = [p for p in sandbox.store.list_payments(since, until) if p.version == "V1"]
    if sandbox.settings.v1_list_hides_test:
        found = []
    return _page(await _query(request), sandbox, _of_status(sandbox, found, payment_status))


LOOKUPS = [get_payment, get_balance, get_payments, find_payment, find_payments, list_by_status]


def _attempts(sandbox: SandboxState, merchant_uid: str) -> list[Payment]:
    if sandbox.settings.v1_list_hides_test:
        explain("test payments: v1_list_hides_test hides them")
        return []
    order_id = read_path(merchant_uid)
    found = sandbox.store.list_attempts(order_id, "V1")
    if not found:
        explain_unknown_order(sandbox.store, order_id, "V1")
    return found


def _of_status(sandbox: SandboxState, payments: list[Payment], word: str | None) -> list[Payment]:
    if word in (None, "all"):
        return payments
    return [p for p in payments if v1_status(p, sandbox.settings) == word]


def _window(query: Fields, now: datetime) -> tuple[datetime, datetime]:
    until, since = query.unix_time("to"), query.unix_time("from")
    end = now if until is None else datetime.fromtimestamp(until, UTC)
    start = end - _PERIOD_MAX if since is None else datetime.fromtimestamp(since, UTC)
    if not timedelta() <= end - start <= _PERIOD_MAX:
        raise InvalidRequest("조회 기간은 최대 90일입니다.")
    # `to` is a whole second, so payments begun within it belong to the period.
    return start, end + timedelta(seconds=1)


def _sorting(query: Fields) -> str:
    sorting = query.text("sorting") or "-started"
    return sorting if sorting.lstrip("-") in _SORT_KEYS else "-started"


def _sorted(payments: list[Payment], sorting: str) -> list[Payment]:
    key = _SORT_KEYS[sorting.lstrip("-")]

    def moment(payment: Payment) -> float:
        at: datetime | None = getattr(payment, key)
        return at.timestamp() if at else 0.0

    # Attempts come oldest first; among equals the newest is listed first.
    newest_first = payments[::-1]
    return sorted(newest_first, key=moment, reverse=sorting.startswith("-"))


def _page(query: Fields, sandbox: SandboxState, payments: list[Payment]) -> Response[bytes]:
    try:
        page, limit = query.integer("page") or 1, query.integer("limit") or _ROWS_DEFAULT
    except InvalidRequest as refusal:
        return _bad(refusal.message)
    if page < 1 or not 1 <= limit <= _ROWS_MAX:
        return _bad("page 또는 limit 이 올바르지 않습니다.")
    if page > 1 and (page - 1) * limit >= len(payments):
        return _bad("데이터 범위를 넘어선 page 입니다.")
    in_order = _sorted(payments, _sorting(query))
    return envelope(show_page(in_order, page, limit, sandbox.settings))
