"""The parameters of IMP.request_pay, and its callback's value if no window opens."""

from datetime import datetime

import msgspec

from portone_sandbox.checkout.window import (
    SdkRequest,
    StoreNotFound,
    Style,
    failure_code,
    read_confirm_url,
    read_due,
    read_redirect,
)
from portone_sandbox.core.brands import GIFTS, WALLETS
from portone_sandbox.core.errors import InvalidRequest, NotPlayed, Refused
from portone_sandbox.core.fields import Fields
from portone_sandbox.core.journal import note, watch_unread
from portone_sandbox.core.payment_flow import Opening
from portone_sandbox.core.payments import Buyer, Method
from portone_sandbox.core.state import SandboxState
from portone_sandbox.v1.schema import MERCHANT_UID_LENGTH_MAX, METHODS

_NAME_LENGTH_MAX = 200


def read_request(sandbox: SandboxState, call: Fields, *, phone: bool) -> SdkRequest:
    """Read init's code and request_pay's parameters; raises a Refused."""
    method = call.text("method")
    if method not in (None, "request_pay"):
        raise NotPlayed(f"IMP.{method} is not played by the sandbox")
    if call.text("code") != sandbox.credentials.v1.imp_code:
        raise StoreNotFound(
            f"가맹점 식별코드가 유효하지 않습니다. 샌드박스의 식별코드는"
            f" {sandbox.credentials.v1.imp_code} 입니다."
        )
    if call.text("tier"):
        note("tiers are not played by the sandbox: the payment is the store's own")
    params = call.value("params")
    if not isinstance(params, dict):
        raise InvalidRequest("결제 파라미터가 없습니다.")
    fields = Fields(params)
    watch_unread(fields.unread)
    opening = _opening(fields, sandbox.now(), phone=phone)
    if opening.customer_uid:
        note("customer_uid is recorded, but no billing key is issued under it")
    english = (fields.text("language") or "").lower().startswith("en")
    return SdkRequest(
        opening=opening,
        style=_style(fields, opening.redirect_url, phone=phone),
        redirect_url=opening.redirect_url,
        language="en" if english else "ko",
    )


def _style(fields: Fields, redirect_url: str | None, *, phone: bool) -> Style:
    """Phones leave the page for the window; with `popup: false` some PGs do so everywhere."""
    if redirect_url and (phone or fields.value("popup") is False):
        return "redirect"
    return "popup" if fields.value("popup") is True and not phone else "frame"


def read_opening(params: dict[str, object], now: datetime) -> Opening:
    """Read request_pay's parameters alone; raises InvalidRequest."""
    return _opening(Fields(params), now, phone=False)


def _opening(fields: Fields, now: datetime, *, phone: bool) -> Opening:
    currency = (fields.text("currency", 3) or "KRW").upper()
    amount = fields.money("amount", currency)
    if not amount:
        raise InvalidRequest("amount is required, and must be more than 0")
    custom = fields.value("custom_data")
    word = fields.text("pay_method") or "card"
    provider, _, merchant = (fields.text("pg", 120) or "").partition(".")
    return Opening(
        order_id=fields.required_text("merchant_uid", MERCHANT_UID_LENGTH_MAX),
        version="V1",
        amount=amount,
        currency=currency,
        method=_method(word),
        brand=GIFTS.get(word) or WALLETS.get(word),
        # Replaced by channelKey, which wins.
        pg_provider=None if fields.text("channelKey") else provider or None,
        pg_id=None if fields.text("channelKey") else merchant or None,
        name=fields.text("name", _NAME_LENGTH_MAX) or "주문명 없음",
        tax_free=fields.money("tax_free", currency),
        vat_amount=fields.money("vat_amount", currency),
        channel_key=fields.text("channelKey"),
        device="mobile" if phone else "pc",
        buyer=Buyer(
            name=fields.text("buyer_name"),
            email=fields.text("buyer_email"),
            phone=fields.text("buyer_tel"),
            address=fields.text("buyer_addr"),
            postcode=fields.text("buyer_postcode"),
        ),
        # Any value is stored as JSON text.
        custom_data=None if custom is None else msgspec.json.encode(custom).decode(),
        notice_urls=fields.texts("notice_url"),
        confirm_url=read_confirm_url(fields.text("confirm_url")),
        customer_uid=fields.text("customer_uid", 80),
        escrow=fields.flag("escrow"),
        redirect_url=read_redirect(fields.text("m_redirect_url")),
        due_at=read_due(fields.text("vbank_due"), now),
    )


def _method(word: str) -> Method:
    if word in GIFTS:
        return Method.GIFT_CERTIFICATE
    # Every other word of V1 names a wallet.
    return METHODS.get(word, Method.EASY_PAY)


def refusal_result(call: Fields, refusal: Refused) -> dict[str, object]:
    """The callback's value when the checks failed: there was no attempt, so no imp_uid."""
    params = call.value("params")
    code, message = failure_code(refusal)
    return {
        "success": False,
        "imp_uid": None,
        "merchant_uid": params.get("merchant_uid") if isinstance(params, dict) else None,
        "error_code": refusal.extra.get("pgCode", code),
        "error_msg": message,
    }
