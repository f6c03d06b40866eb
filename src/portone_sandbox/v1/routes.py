"""V1's REST API: tokens, registered amounts, lookups and cancels, at PortOne's own paths."""

from litestar import Response, Router, post, put, route
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.status_codes import HTTP_501_NOT_IMPLEMENTED

from portone_sandbox.core import payment_flow
from portone_sandbox.core.cancellations import CancelRequest, cancel, find_attempt_of
from portone_sandbox.core.errors import (
    AlreadyCancelled,
    CancelExceedsAmount,
    CancellableAmountMismatch,
    InvalidRequest,
    PaymentNotFound,
    PaymentNotPaid,
    RefundAccountMissing,
    Refused,
    Unauthorized,
)
from portone_sandbox.core.fields import Fields, read_fields
from portone_sandbox.core.money import to_major
from portone_sandbox.core.operations import not_played
from portone_sandbox.core.payments import Order, Payment, RefundAccount
from portone_sandbox.core.request import AnyRequest, SandboxDep, read_path
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.stores import current_sandbox
from portone_sandbox.v1.auth import issue_token, require_token
from portone_sandbox.v1.codes import CODES
from portone_sandbox.v1.lookup import LOOKUP_VERBS, LOOKUPS, visible
from portone_sandbox.v1.operations import OPERATIONS
from portone_sandbox.v1.schema import MERCHANT_UID_LENGTH_MAX, envelope, show_payment, unix
from portone_sandbox.v1.virtual_accounts import VBANKS

# The first two texts are known. PortOne publishes none for checksum mismatches, excessive amounts
# and unpaid payments, so those are the sandbox's own (undocumented).
_CANCEL_TEXTS: dict[type[Refused], str] = {
    PaymentNotFound: "취소할 결제건이 존재하지 않습니다.",
    AlreadyCancelled: "이미 전액취소된 주문입니다.",
    CancellableAmountMismatch: "취소 가능 잔액(checksum)이 일치하지 않습니다.",
    CancelExceedsAmount: "취소 요청금액이 취소 가능 금액을 초과하였습니다.",
    PaymentNotPaid: "결제완료 상태가 아니어서 취소할 수 없습니다.",
    RefundAccountMissing: "가상계좌 환불에는 환불계좌 정보가 필요합니다.",
}


@post("/users/getToken", status_code=200)
async def get_token(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """The token with both times, so that a client with a wrong clock can compute its lifetime."""
    try:
        fields = await read_fields(request)
        token = issue_token(sandbox, fields.text("imp_key"), fields.text("imp_secret"))
    except InvalidRequest as error:
        raise Unauthorized(error.message) from error
    shown = {
        "access_token": token.text,
        "now": unix(sandbox.now()),
        "expired_at": unix(token.expires_at),
    }
    return envelope(shown)


@post("/payments/prepare", status_code=200)
async def prepare(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Register an amount before the window opens; once per merchant_uid."""
    fields = await read_fields(request)
    merchant_uid = fields.required_text("merchant_uid", MERCHANT_UID_LENGTH_MAX)
    if sandbox.store.find_order(merchant_uid):
        return envelope(None, code=1, message="이미 등록된 merchant_uid 입니다.")
    return envelope(_show_order(_register(sandbox, merchant_uid, fields)))


@put("/payments/prepare")
async def change_prepared(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Change a registered amount."""
    fields = await read_fields(request)
    merchant_uid = fields.required_text("merchant_uid")
    if sandbox.store.find_order(merchant_uid) is None:
        message = "사전등록된 결제정보가 존재하지 않습니다."
        return envelope(None, code=-1, message=message, status=404)
    return envelope(_show_order(_register(sandbox, merchant_uid, fields)))


@route("/payments/prepare/{merchant_uid:str}", http_method=LOOKUP_VERBS, status_code=200)
async def get_prepared(merchant_uid: FromPath[str], sandbox: SandboxDep) -> Response[bytes]:
    """Read a registered amount; only 200 and 401 are documented, so unknown is code 1."""
    order = sandbox.store.find_order(read_path(merchant_uid))
    if order is None:
        return envelope(None, code=1, message="사전등록된 결제정보가 존재하지 않습니다.")
    return envelope(_show_order(order))


@post("/payments/cancel", status_code=200)
async def cancel_payment(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Cancel; a business refusal is HTTP 200 with a code that is not 0."""
    fields = await read_fields(request)
    try:
        payment = _find_to_cancel(sandbox, fields)
        cancel(sandbox, payment, _cancel_request(fields, payment))
    except Refused as refusal:
        message = _CANCEL_TEXTS.get(type(refusal), refusal.message)
        return envelope(None, code=1, message=message)
    return envelope(show_payment(payment, sandbox.settings))


def _register(sandbox: SandboxState, merchant_uid: str, fields: Fields) -> Order:
    currency = fields.text("currency", 3)
    amount = fields.money("amount", currency or "KRW")
    if amount is None:
        raise InvalidRequest("amount is required")
    return payment_flow.register(sandbox, merchant_uid, "V1", amount, currency)


def _show_order(order: Order) -> dict[str, object]:
    shown: dict[str, object] = {
        "merchant_uid": order.id,
        "amount": to_major(order.amount or 0, order.currency or "KRW"),
        # The schema requires the counters of a list here, too; they carry no meaning.
        "total": 1,
        "previous": 0,
        "next": 0,
    }
    return shown | ({"currency": order.currency} if order.currency else {})


def _find_to_cancel(sandbox: SandboxState, fields: Fields) -> Payment:
    """imp_uid wins: a wrong one fails even beside a good merchant_uid."""
    imp_uid, merchant_uid = fields.text("imp_uid"), fields.text("merchant_uid")
    if imp_uid is not None:
        return visible(sandbox.get_payment(imp_uid))
    if merchant_uid is None:
        raise InvalidRequest("imp_uid 또는 merchant_uid 가 필요합니다.")
    return find_attempt_of(sandbox, merchant_uid, "V1")


def _cancel_request(fields: Fields, payment: Payment) -> CancelRequest:
    currency = payment.currency
    # Absent and 0 alike mean everything that is left.
    amount = fields.money("amount", currency) or None
    return CancelRequest(
        reason=fields.text("reason") or "",
        trigger="API",
        amount=amount,
        tax_free=fields.money("tax_free", currency),
        vat=fields.money("vat_amount", currency),
        believed_cancellable=fields.money("checksum", currency),
        refund_account=_refund_account(fields),
        # Off by default, and only for payments that used a webhook.
        notify=fields.flag("enable_webhook") and payment.used_webhook,
    )


def _refund_account(fields: Fields) -> RefundAccount | None:
    bank, number = fields.text("refund_bank"), fields.text("refund_account")
    holder, phone = fields.text("refund_holder"), fields.text("refund_tel")
    return RefundAccount(bank, number, holder, phone) if bank and number and holder else None


def refuse(_: AnyRequest, refusal: Refused) -> Response[bytes]:
    """Default error response: 401 for credentials, otherwise 200 with code 1."""
    if isinstance(refusal, Unauthorized):
        return envelope(None, code=-1, message=refusal.message, status=401)
    return envelope(None, code=1, message=refusal.message)


def refuse_http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Unknown paths and methods; those that PortOne has are named."""
    operation = OPERATIONS.find(request.method, request.url.path.removeprefix("/v1"))
    if operation:
        message = not_played(operation)
        return envelope(None, code=-1, message=message, status=HTTP_501_NOT_IMPLEMENTED)
    return envelope(None, code=-1, message=error.detail, status=error.status_code)


async def _empty_message(response: Response[bytes]) -> Response[bytes]:
    if current_sandbox().settings.v1_empty_fields == "null":
        response.content = response.content.replace(b'"message":""', b'"message":null', 1)
    return response


def router() -> Router:
    """Everything under /v1."""
    guarded = Router(
        path="/",
        guards=[require_token],
        route_handlers=[
            prepare,
            change_prepared,
            get_prepared,
            cancel_payment,
            *LOOKUPS,
            *VBANKS,
            *CODES,
        ],
    )
    return Router(
        path="/v1",
        route_handlers=[get_token, guarded],
        after_request=_empty_message,
        exception_handlers={Refused: refuse, HTTPException: refuse_http},
    )
