"""V1's lookups: one payment, many, by order, by status, and the balance of one."""

from datetime import UTC, datetime, timedelta

from litestar import Response, get
from litestar.params import FromPath

from portone_sandbox.core.errors import InvalidRequest, PaymentNotFound
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.request import AnyRequest, TheWorld, read_path
from portone_sandbox.core.state import World
from portone_sandbox.v1.schema import (
    STATUSES,
    answer,
    show_balance,
    show_page,
    show_payment,
    status_word,
)

_NOT_FOUND = "존재하지 않는 결제정보입니다."
_LONGEST_WINDOW = timedelta(days=90)
_MOST_IDS = 100
_MOST_ROWS = 1000
_ROWS = 20
_SORT_KEYS = {"started": "requested_at", "paid": "paid_at", "updated": "updated_at"}


def visible(payment: Payment) -> Payment:
    """The payment, if V1 knows it; V2's are not found here."""
    if payment.version != "V1":
        raise PaymentNotFound
    return payment


def not_found() -> Response[bytes]:
    """V1's answer for an id nobody has."""
    return answer(None, code=-1, message=_NOT_FOUND, status=404)


def _bad(message: str) -> Response[bytes]:
    return answer(None, code=-1, message=message, status=400)


def _query(request: AnyRequest) -> Fields:
    return Fields(dict(request.query_params.items()))


@get("/payments/{imp_uid:str}")
async def get_payment(
    request: AnyRequest, imp_uid: FromPath[str], world: TheWorld
) -> Response[bytes]:
    """One payment; those of test channels only where include_sandbox asks for them."""
    try:
        payment = visible(world.get_payment(imp_uid))
    except PaymentNotFound:
        return not_found()
    if world.settings.v1_lookup_hides_test and not _query(request).flag("include_sandbox"):
        return not_found()
    return answer(show_payment(payment, world.settings))


@get("/payments/{imp_uid:str}/balance")
async def get_balance(imp_uid: FromPath[str], world: TheWorld) -> Response[bytes]:
    """Tax parts of one payment, with their history."""
    try:
        return answer(show_balance(visible(world.get_payment(imp_uid))))
    except PaymentNotFound:
        return not_found()


@get("/payments")
async def get_payments(request: AnyRequest, world: TheWorld) -> Response[bytes]:
    """Up to 100 payments by id; 207 when some are unknown."""
    imp_uids = request.query_params.getall("imp_uid[]", [])
    merchant_uids = request.query_params.getall("merchant_uid[]", [])
    wanted = len(imp_uids) + len(merchant_uids)
    if wanted > _MOST_IDS:
        return answer([], code=1, message=f"한 번에 {_MOST_IDS}건까지 조회할 수 있습니다.")
    found = [world.store.find_payment(imp_uid) for imp_uid in imp_uids]
    for merchant_uid in merchant_uids:
        attempts = world.store.list_attempts(merchant_uid, "V1")
        found.append(attempts[-1] if attempts else None)
    shown = [
        show_payment(p, world.settings)
        for p in found
        if p and p.version == "V1" and not world.settings.v1_list_hides_test
    ]
    if not shown:
        return answer([], code=-1, message=_NOT_FOUND, status=404)
    return answer(shown, status=200 if len(shown) == wanted else 207)


@get(
    [
        "/payments/find/{merchant_uid:str}",
        "/payments/find/{merchant_uid:str}/{payment_status:str}",
    ]
)
async def find_payment(
    request: AnyRequest,
    merchant_uid: FromPath[str],
    world: TheWorld,
    payment_status: FromPath[str | None] = None,
) -> Response[bytes]:
    """The newest attempt of an order, of one status where one is given."""
    if payment_status not in (None, *STATUSES):
        return not_found()
    found = _of_status(world, _attempts(world, merchant_uid), payment_status)
    if not found:
        return not_found()
    return answer(show_payment(_sorted(found, _sorting(request))[0], world.settings))


@get(
    [
        "/payments/findAll/{merchant_uid:str}",
        "/payments/findAll/{merchant_uid:str}/{payment_status:str}",
    ]
)
async def find_payments(
    request: AnyRequest,
    merchant_uid: FromPath[str],
    world: TheWorld,
    payment_status: FromPath[str | None] = None,
) -> Response[bytes]:
    """Every attempt of an order, in pages."""
    if payment_status not in (None, *STATUSES):
        return _bad("올바르지 않은 payment_status 입니다.")
    attempts = _attempts(world, merchant_uid)
    if not attempts:
        return not_found()
    return _page(request, world, _of_status(world, attempts, payment_status))


@get("/payments/status/{payment_status:str}")
async def list_by_status(
    request: AnyRequest, payment_status: FromPath[str], world: TheWorld
) -> Response[bytes]:
    """Payments of one status within at most 90 days."""
    if payment_status not in STATUSES:
        return _bad("올바르지 않은 payment_status 입니다.")
    try:
        since, until = _window(_query(request), world.now())
    except InvalidRequest as refusal:
        return _bad(refusal.message)
    found = [p for p in world.store.list_payments(since, until) if p.version == "V1"]
    if world.settings.v1_list_hides_test:
        found = []
    return _page(request, world, _of_status(world, found, payment_status))


LOOKUPS = [get_payment, get_balance, get_payments, find_payment, find_payments, list_by_status]


def _attempts(world: World, merchant_uid: str) -> list[Payment]:
    if world.settings.v1_list_hides_test:
        return []
    return world.store.list_attempts(read_path(merchant_uid), "V1")


def _of_status(world: World, payments: list[Payment], word: str | None) -> list[Payment]:
    if word in (None, "all"):
        return payments
    return [p for p in payments if status_word(p, world.settings) == word]


def _window(query: Fields, now: datetime) -> tuple[datetime, datetime]:
    until, since = query.unix_time("to"), query.unix_time("from")
    end = now if until is None else datetime.fromtimestamp(until, UTC)
    start = end - _LONGEST_WINDOW if since is None else datetime.fromtimestamp(since, UTC)
    if not timedelta() <= end - start <= _LONGEST_WINDOW:
        raise InvalidRequest("조회 기간은 최대 90일입니다.")
    # `to` is a whole second: what began within it belongs to the window.
    return start, end + timedelta(seconds=1)


def _sorting(request: AnyRequest) -> str:
    sorting = request.query_params.get("sorting") or "-started"
    return sorting if sorting.lstrip("-") in _SORT_KEYS else "-started"


def _sorted(payments: list[Payment], sorting: str) -> list[Payment]:
    key = _SORT_KEYS[sorting.lstrip("-")]

    def moment(payment: Payment) -> float:
        at: datetime | None = getattr(payment, key)
        return at.timestamp() if at else 0.0

    # Attempts are kept oldest first; of equals the newest shall come first.
    newest_first = payments[::-1]
    return sorted(newest_first, key=moment, reverse=sorting.startswith("-"))


def _page(request: AnyRequest, world: World, payments: list[Payment]) -> Response[bytes]:
    query = _query(request)
    try:
        page, limit = query.integer("page") or 1, query.integer("limit") or _ROWS
    except InvalidRequest as refusal:
        return _bad(refusal.message)
    if page < 1 or not 1 <= limit <= _MOST_ROWS:
        return _bad("page 또는 limit 이 올바르지 않습니다.")
    if page > 1 and (page - 1) * limit >= len(payments):
        return _bad("데이터 범위를 넘어선 page 입니다.")
    in_order = _sorted(payments, _sorting(request))
    return answer(show_page(in_order, page, limit, world.settings))
