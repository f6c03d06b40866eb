"""V2's REST API: everything that changes a payment, at PortOne's own paths."""

from datetime import UTC, datetime, timedelta

from litestar import Response, Router, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from portone_sandbox.core import cancellations, payment_flow, virtual_accounts
from portone_sandbox.core.errors import (
    AlreadyPaid,
    InformationMismatch,
    InvalidPaymentToken,
    InvalidRequest,
    NotWaitingForDeposit,
    PartsExceedTotal,
    PaymentNotFound,
    PgRefused,
    Refused,
    TooManyWebhookRetries,
    WebhookNotFound,
)
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import (
    Buyer,
    Card,
    Method,
    Payment,
    RefundAccount,
    Status,
    VirtualAccount,
)
from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import Webhook
from portone_sandbox.v2.auth import check_store, log_in, refresh, require_credential
from portone_sandbox.v2.bodies import (
    AccountInput,
    CancelBody,
    CardInput,
    ConfirmBody,
    InstantBody,
    LogIn,
    PreRegister,
    Refresh,
    ResendBody,
    known_bank,
    read_body,
    read_id,
)
from portone_sandbox.v2.lookup import LOOKUPS, find_current, get_banks, get_current
from portone_sandbox.v2.responses import (
    find_stored_response,
    refuse,
    refuse_http,
    respond,
    run_once,
)
from portone_sandbox.v2.schema import show_cancellation, show_webhook
from portone_sandbox.webhooks.sender import SenderDep

DECLINED_CARD_ENDING = "0002"


@post("/login/api-secret", status_code=200)
async def log_in_with_secret(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """A token pair for the API secret."""
    return respond(log_in(sandbox, (await read_body(request, LogIn)).api_secret))


@post("/token/refresh", status_code=200)
async def refresh_tokens(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """A new token pair for a refresh token."""
    return respond(refresh(sandbox, (await read_body(request, Refresh)).refresh_token))


@post("/payments/{payment_id:str}/pre-register", status_code=200)
async def pre_register(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Fix an amount before the window opens; a later call replaces it."""
    body = await read_body(request, PreRegister)
    order_id = read_id(payment_id)

    def work() -> dict[str, object]:
        check_store(sandbox, body.store_id)
        current = find_current(sandbox, order_id)
        if current and current.was_paid:
            raise AlreadyPaid("결제가 이미 완료되었습니다.")
        amount, tax_free = body.total_amount, body.tax_free_amount
        payment_flow.register(sandbox, order_id, "V2", amount, body.currency, tax_free=tax_free)
        return {}

    return run_once(request, sandbox, work)


@post("/payments/{payment_id:str}/cancel", status_code=200)
async def cancel_payment(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Cancel in whole or in part; 200 may still say FAILED or REQUESTED."""
    body = await read_body(request, CancelBody)
    order_id = read_id(payment_id)

    def work() -> dict[str, object]:
        check_store(sandbox, body.store_id)
        payment = get_current(sandbox, order_id)
        cancellation = cancellations.cancel(sandbox, payment, _cancel_request(sandbox, body))
        return {"cancellation": show_cancellation(cancellation)}

    return run_once(request, sandbox, work)


@post("/payments/{payment_id:str}/instant", status_code=200)
async def pay_instantly(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Pay with a typed-in card, or open a virtual account (`paidAt` is then its issue)."""
    body = await read_body(request, InstantBody)
    order_id = read_id(payment_id)
    declined: list[Payment] = []

    def work() -> dict[str, object]:
        check_store(sandbox, body.store_id)
        payment = payment_flow.open_checkout(
            sandbox, _instant_opening(order_id, body), check_amount=False
        )
        if body.method.virtual_account:
            payment.account = _wanted_account(sandbox, body.method.virtual_account)
        card = _card(body.method.card) if body.method.card else None
        if body.method.card and body.method.card.credential.number.endswith(DECLINED_CARD_ENDING):
            declined.append(payment)
            raise PgRefused(
                "PG사에서 오류를 전달했습니다.", pgCode="SANDBOX_DECLINED", pgMessage="한도초과"
            )
        payment_flow.approve(sandbox, payment, card)
        paid_at = payment.paid_at or payment.status_changed_at
        return {"payment": {"pgTxId": payment.pg_tx_id, "paidAt": paid_at}}

    response = run_once(request, sandbox, work)
    for payment in declined:  # the refusal undid the attempt; the gateway remembers it as failed
        payment_flow.decline(sandbox, payment)
    return response


@post("/payments/{payment_id:str}/confirm", status_code=200)
async def confirm_payment(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Approve what the buyer authenticated on a channel with manual approval."""
    body = await read_body(request, ConfirmBody)
    order_id = read_id(payment_id)

    def work() -> dict[str, object]:
        check_store(sandbox, body.store_id)
        payment = _authenticated(sandbox, order_id, body)
        payment.skip_webhook = bool(body.skip_webhook)
        payment_flow.approve(sandbox, payment)
        paid_at = payment.paid_at or payment.status_changed_at
        return {"pgTxId": payment.pg_tx_id, "paidAt": paid_at}

    return run_once(request, sandbox, work)


@post("/payments/{payment_id:str}/virtual-account/close", status_code=200)
async def close_account(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Close a virtual account before any deposit."""
    order_id = read_id(payment_id)

    def work() -> dict[str, object]:
        check_store(sandbox, request.query_params.get("storeId"))
        get_current(sandbox, order_id)
        waiting = [
            p
            for p in sandbox.store.list_attempts(order_id)
            if p.status is Status.VIRTUAL_ACCOUNT_ISSUED
        ]
        if not waiting:
            raise NotWaitingForDeposit("입금 대기 상태의 결제가 아닙니다.")
        return {"closedAt": virtual_accounts.close(sandbox, waiting[-1])}

    return run_once(request, sandbox, work)


@post("/payments/{payment_id:str}/resend-webhook", status_code=200)
async def resend_webhook(
    request: AnyRequest, payment_id: FromPath[str], sandbox: SandboxDep, sender: SenderDep
) -> Response[bytes]:
    """Send a webhook again now; the newest, unless an id is given."""
    body = await read_body(request, ResendBody)
    check_store(sandbox, body.store_id)
    payment = get_current(sandbox, read_id(payment_id))
    webhook = _webhook_to_resend(sandbox, payment, body.webhook_id)
    if (kept := find_stored_response(request, sandbox)) is not None:
        return kept
    if webhook.manual_sends >= sandbox.settings.v2_max_webhook_sends:
        raise TooManyWebhookRetries("웹훅 수동 재시도 횟수가 최대에 도달했습니다.")
    await sender.send_now(webhook)
    sent = sandbox.store.find_webhook(webhook.id) or webhook
    return run_once(request, sandbox, lambda: {"webhook": show_webhook(sent)})


def router() -> Router:
    """Everything under /v2."""
    guarded = Router(
        path="/",
        guards=[require_credential],
        route_handlers=[
            pre_register,
            cancel_payment,
            pay_instantly,
            confirm_payment,
            close_account,
            resend_webhook,
            *LOOKUPS,
        ],
    )
    return Router(
        path="/v2",
        route_handlers=[log_in_with_secret, refresh_tokens, get_banks, guarded],
        exception_handlers={Refused: refuse, HTTPException: refuse_http},
    )


def _cancel_request(sandbox: SandboxState, body: CancelBody) -> cancellations.CancelRequest:
    account = body.refund_account
    return cancellations.CancelRequest(
        reason=body.reason,
        trigger="API",
        amount=body.amount,
        tax_free=body.tax_free_amount,
        vat=body.vat_amount,
        believed_cancellable=body.current_cancellable_amount,
        refund_account=RefundAccount(
            account.bank, account.number, account.holder_name, account.holder_phone_number
        )
        if account
        else None,
        mode=sandbox.settings.v2_cancel_mode,
        notify=not body.skip_webhook,
    )


def _instant_opening(order_id: str, body: InstantBody) -> Opening:
    method, amount = body.method, body.amount
    if (method.card is None) == (method.virtual_account is None):
        raise InvalidRequest("method must be either card or virtualAccount")
    if body.channel_key is None and body.channel_group_id is None:
        raise InvalidRequest("channelKey or channelGroupId is required")
    if body.promotion_id is not None:
        raise InvalidRequest("there is no such promotion")
    if (amount.tax_free or 0) + (amount.vat or 0) > amount.total:
        raise PartsExceedTotal("면세 금액 등 하위 항목들의 합이 전체 결제 금액을 초과합니다.")
    account = method.virtual_account
    return Opening(
        order_id=order_id,
        version="V2",
        amount=amount.total,
        currency=body.currency,
        method=Method.VIRTUAL_ACCOUNT if account else Method.CARD,
        name=body.order_name,
        tax_free=amount.tax_free,
        vat_amount=amount.vat,
        channel_key=body.channel_key,
        channel_group_id=body.channel_group_id,
        device="api",
        buyer=body.customer.buyer() if body.customer else Buyer(),
        details=body.details(),
        custom_data=body.custom_data,
        notice_urls=body.notice_urls or [],
        escrow=bool(body.is_escrow),
        bank=known_bank(account.bank) if account else None,
        skip_webhook=bool(body.skip_webhook),
    )


def _card(card: CardInput) -> Card:
    number = card.credential.number
    return Card(
        number=f"{number[:6]}******{number[-4:]}", installment_months=card.installment_month
    )


def _wanted_account(sandbox: SandboxState, wanted: AccountInput) -> VirtualAccount:
    now, expiry, fixed = sandbox.now(), wanted.expiry, wanted.option.fixed
    if (expiry.valid_hours is None) == (expiry.due_date is None):
        raise InvalidRequest("expiry must be either validHours or dueDate")
    due_at = expiry.due_date or now + timedelta(hours=expiry.valid_hours or 0)
    if due_at <= now:
        raise InvalidRequest("expiry has passed")
    return VirtualAccount(
        bank=known_bank(wanted.bank),
        number=(fixed.account_number if fixed else None) or "",
        holder=wanted.remittee_name or "",
        due_at=_in_utc(due_at),
        issued_at=now,
        fixed=wanted.option.type == "FIXED",
    )


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidRequest("dueDate is beyond what a calendar holds") from error


def _authenticated(sandbox: SandboxState, order_id: str, body: ConfirmBody) -> Payment:
    attempts = sandbox.store.list_attempts(order_id)
    if not attempts:
        raise PaymentNotFound("결제 건이 존재하지 않습니다.")
    if any(p.was_paid for p in attempts):
        raise AlreadyPaid("결제가 이미 완료되었습니다.")
    tokens = {p.payment_token: p for p in attempts if p.payment_token}
    payment = tokens.get(body.payment_token)
    if payment is None or payment.status is not Status.READY:
        raise InvalidPaymentToken("유효하지 않은 결제 토큰입니다.")
    expected = (
        (body.tx_id, payment.tx_id),
        (body.total_amount, payment.amount),
        (body.tax_free_amount, payment.tax_free),
        (body.currency, payment.currency),
        (body.is_test, True),
    )
    if any(wish is not None and wish != fact for wish, fact in expected):
        raise InformationMismatch("결제 정보가 일치하지 않습니다.")
    return payment


def _webhook_to_resend(sandbox: SandboxState, payment: Payment, webhook_id: str | None) -> Webhook:
    sends = [
        webhook
        for webhook in sandbox.store.list_webhooks(payment.tx_id)
        if webhook_id in (None, webhook.webhook_id)
    ]
    if not sends:
        raise WebhookNotFound("웹훅 내역이 존재하지 않습니다.")
    return sends[-1]
