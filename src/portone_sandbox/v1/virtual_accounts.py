"""V1's virtual accounts by API: issue, change and revoke before any deposit."""

from datetime import UTC, datetime

from litestar import Response, delete, post, put
from litestar.params import FromPath

from portone_sandbox.core import banks, payment_flow, virtual_accounts
from portone_sandbox.core.companies import Company
from portone_sandbox.core.errors import (
    AlreadyPaid,
    ChannelNotFound,
    CompanyRefused,
    InvalidRequest,
    NotWaitingForDeposit,
    PaymentNotFound,
    Refused,
)
from portone_sandbox.core.fields import Fields, read_fields
from portone_sandbox.core.journal import explain
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import Buyer, Method, Payment, Status, VirtualAccount
from portone_sandbox.core.request import AnyRequest, SandboxDep
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v1.lookup import not_found, visible
from portone_sandbox.v1.schema import MERCHANT_UID_LENGTH_MAX, envelope, show_payment

_TEXTS: dict[type[Refused], str] = {
    AlreadyPaid: "이미 결제가 이루어진 merchant_uid 입니다.",
    ChannelNotFound: "존재하지 않는 channel_key 입니다.",
}
_NOT_WAITING = "가상계좌가 입금대기 상태(ready)가 아닙니다."


@post("/vbanks", status_code=200)
async def issue_account(request: AnyRequest, sandbox: SandboxDep) -> Response[bytes]:
    """Open an account; the payment comes back `ready`, refusals as 200 with code 1."""
    fields = await read_fields(request)
    try:
        account = _account(sandbox, fields)
        opening = _opening(sandbox, fields, account)
        fields.value("pg_api_key")  # in the query, whatever the body says
        _check_company(sandbox, opening, account, request.query_params.get("pg_api_key"))
        with sandbox.store.transaction():
            payment = payment_flow.open_checkout(sandbox, opening)
            payment.account = account
            payment_flow.approve(sandbox, payment)
    except Refused as refusal:
        return envelope(None, code=1, message=_TEXTS.get(type(refusal), refusal.message))
    return envelope(show_payment(payment, sandbox.settings))


@put("/vbanks/{imp_uid:str}")
async def change_account(
    request: AnyRequest, imp_uid: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Change amount or due time before a deposit. PortOne offers it for Hecto alone."""
    fields = await read_fields(request)
    try:
        payment = visible(sandbox.get_payment(imp_uid))
        _change(sandbox, payment, fields)
    except PaymentNotFound:
        return not_found()
    except Refused as refusal:
        return envelope(None, code=-1, message=refusal.message, status=400)
    return envelope(show_payment(payment, sandbox.settings))


@delete("/vbanks/{imp_uid:str}", status_code=200)
async def revoke_account(
    request: AnyRequest, imp_uid: FromPath[str], sandbox: SandboxDep
) -> Response[bytes]:
    """Revoke an account before a deposit; the payment is shown as failed."""
    try:
        payment = visible(sandbox.get_payment(imp_uid))
        company = sandbox.settings.company(payment.channel_key)
        if company:
            key = request.query_params.get("pg_api_key")
            company.check_api_key(key, sandbox.credentials.v1.pg_api_key)
        virtual_accounts.close(sandbox, payment)
    except PaymentNotFound:
        return not_found()
    except CompanyRefused as refusal:
        return envelope(None, code=1, message=refusal.message)
    except NotWaitingForDeposit:
        return envelope(None, code=-1, message=_NOT_WAITING, status=400)
    return envelope(show_payment(payment, sandbox.settings))


VBANKS = [issue_account, change_account, revoke_account]


def _account(sandbox: SandboxState, fields: Fields) -> VirtualAccount:
    code, company = (
        fields.required_text("vbank_code"),
        _company(sandbox, fields.text("channel_key")),
    )
    bank = company.find_bank(code) if company else banks.find(code)
    due = fields.unix_time("vbank_due")
    if bank is None:
        raise InvalidRequest("vbank_code 가 올바르지 않습니다.")
    if due is None or due <= sandbox.now().timestamp():
        raise InvalidRequest("vbank_due 는 현재보다 미래여야 합니다.")
    return VirtualAccount(
        bank=bank.name,
        number=fields.text("vbank_num", 32) or "",
        holder=fields.text("vbank_holder", 16) or "",
        due_at=datetime.fromtimestamp(due, UTC),
        issued_at=sandbox.now(),
        fixed=fields.flag("fixed_unlimited_vbank") or fields.text("vbank_num") is not None,
    )


def _company(sandbox: SandboxState, channel_key: str | None) -> Company | None:
    default = sandbox.settings.default_channel("V1")
    return sandbox.settings.company(channel_key or (default.key if default else ""))


def _check_company(
    sandbox: SandboxState, opening: Opening, account: VirtualAccount, api_key: str | None
) -> None:
    company = _company(sandbox, opening.channel_key)
    if company:
        expected = sandbox.credentials.v1.pg_api_key
        company.check_issue(opening.buyer, account.holder, api_key, expected)


def _channel_key(sandbox: SandboxState, fields: Fields) -> str | None:
    """The channel's key, or None for the default channel, as a setting allows."""
    key = fields.text("channel_key")
    if key is None and sandbox.settings.v1_vbanks_without_channel == "refuse":
        explain("older clients send none: the setting v1_vbanks_without_channel accepts them")
        raise InvalidRequest("channel_key is required")
    return key


def _opening(sandbox: SandboxState, fields: Fields, account: VirtualAccount) -> Opening:
    amount = fields.money("amount", "KRW")
    # Only a fixed account, which accepts any amount, may expect none.
    if amount is None or (amount == 0 and not account.fixed):
        raise InvalidRequest("amount 가 필요합니다.")
    return Opening(
        order_id=fields.required_text("merchant_uid", MERCHANT_UID_LENGTH_MAX),
        version="V1",
        amount=amount,
        method=Method.VIRTUAL_ACCOUNT,
        name=fields.text("name", 40) or "샌드박스 주문",
        tax_free=fields.money("tax_free", "KRW"),
        vat_amount=fields.money("vat_amount", "KRW"),
        channel_key=_channel_key(sandbox, fields),
        device="api",
        buyer=Buyer(
            name=fields.text("buyer_name", 16),
            email=fields.text("buyer_email", 64),
            phone=fields.text("buyer_tel", 16),
            address=fields.text("buyer_addr", 128),
            postcode=fields.text("buyer_postcode", 8),
        ),
        custom_data=fields.text("custom_data"),
        notice_urls=fields.texts("notice_url"),
        bank=account.bank,
    )


def _change(sandbox: SandboxState, payment: Payment, fields: Fields) -> None:
    account = payment.account
    if account is None or payment.status is not Status.VIRTUAL_ACCOUNT_ISSUED:
        raise InvalidRequest(_NOT_WAITING)
    amount, due = fields.money("amount", payment.currency), fields.unix_time("vbank_due")
    if amount is not None:
        payment.amount = amount
    if due is not None:
        account.due_at = datetime.fromtimestamp(due, UTC)
    payment.updated_at = sandbox.now()
    sandbox.store.save_payment(payment)
