"""What the browser SDKs are called with, as one Opening for both versions."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from portone_sandbox.checkout import Opening
from portone_sandbox.errors import InvalidRequest
from portone_sandbox.fields import Fields
from portone_sandbox.money import LARGEST
from portone_sandbox.payments import Buyer, Method, Version
from portone_sandbox.v1_wire import METHODS

_SEOUL = timezone(timedelta(hours=9))
# V1's vbank_due is a text date here (and UNIX seconds in the REST API).
_DUE_FORMS = ("%Y%m%d", "%Y-%m-%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S")


def read_opening(version: Version, params: dict[str, Any], now: datetime) -> Opening:
    """The Opening that a call of IMP.request_pay or PortOne.requestPayment means.

    Raises InvalidRequest for what the SDK would refuse to open a window for.
    """
    fields = Fields(params)
    return _read_v1(fields) if version == "V1" else _read_v2(fields, now)


def _read_v1(fields: Fields) -> Opening:
    currency = fields.text("currency", 3) or "KRW"
    amount = fields.money("amount", currency)
    if not amount:
        raise InvalidRequest("amount is required")
    word = fields.text("pay_method") or "card"
    return Opening(
        order_id=fields.needed_text("merchant_uid", 40),
        version="V1",
        amount=amount,
        currency=currency,
        # Every other word of V1 (kakaopay, payco, samsung …) names an easy-pay brand.
        method=METHODS.get(word, Method.EASY_PAY),
        name=(fields.text("name") or "샌드박스 주문")[:40],
        tax_free=fields.money("tax_free", currency),
        vat_amount=fields.money("vat_amount", currency),
        channel_key=fields.text("channelKey"),
        buyer=_v1_buyer(fields),
        custom_data=_as_text(fields.values.get("custom_data")),
        notice_urls=fields.texts("notice_url"),
        escrow=fields.flag("escrow"),
        redirect_url=fields.text("m_redirect_url"),
        due_at=_v1_due(fields.text("vbank_due")),
    )


def _read_v2(fields: Fields, now: datetime) -> Opening:
    account = Fields(_inner(fields, "virtualAccount"))
    word = fields.text("payMethod") or "CARD"
    return Opening(
        order_id=fields.needed_text("paymentId", 200),
        version="V2",
        amount=_needed_amount(fields, "totalAmount"),
        # Old samples write CURRENCY_KRW.
        currency=fields.needed_text("currency").removeprefix("CURRENCY_"),
        method=Method(word) if word in Method.__members__ else Method.EASY_PAY,
        name=fields.needed_text("orderName"),
        tax_free=_amount(fields, "taxFreeAmount"),
        vat_amount=_amount(fields, "vatAmount"),
        channel_key=fields.needed_text("channelKey"),
        buyer=_v2_buyer(Fields(_inner(fields, "customer"))),
        custom_data=_as_text(fields.values.get("customData")),
        notice_urls=fields.texts("noticeUrls"),
        escrow=fields.flag("isEscrow"),
        bank=account.text("bankCode"),
        redirect_url=fields.text("redirectUrl"),
        due_at=_v2_due(Fields(_inner(account, "accountExpiry")), now),
    )


def _v1_buyer(fields: Fields) -> Buyer:
    return Buyer(
        name=fields.text("buyer_name", 16),
        email=fields.text("buyer_email", 64),
        phone=fields.text("buyer_tel", 16),
        address=fields.text("buyer_addr", 128),
        postcode=fields.text("buyer_postcode", 8),
    )


def _v2_buyer(customer: Fields) -> Buyer:
    return Buyer(
        id=customer.text("customerId"),
        name=customer.text("fullName"),
        email=customer.text("email"),
        phone=customer.text("phoneNumber"),
        postcode=customer.text("zipcode"),
    )


def _inner(fields: Fields, name: str) -> dict[str, object]:
    value = fields.values.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} must be an object")
    return value


def _amount(fields: Fields, name: str) -> int | None:
    """V2 amounts are minor units, and whole."""
    value = fields.integer(name)
    if value is not None and not 0 <= value <= LARGEST:
        raise InvalidRequest(f"{name} is out of range")
    return value


def _needed_amount(fields: Fields, name: str) -> int:
    amount = _amount(fields, name)
    if not amount:
        raise InvalidRequest(f"{name} is required")
    return amount


def _as_text(value: object) -> str | None:
    """custom_data is kept as JSON text, whatever was given."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _v1_due(text: str | None) -> datetime | None:
    if text is None:
        return None
    for form in _DUE_FORMS:
        try:
            at = datetime.strptime(text, form).replace(tzinfo=_SEOUL)
        except ValueError:
            continue
        # A bare date means the whole day in Seoul.
        whole_day = timedelta(days=1, seconds=-1) if "%H" not in form else timedelta()
        return (at + whole_day).astimezone(UTC)
    raise InvalidRequest("vbank_due is no date")


def _v2_due(expiry: Fields, now: datetime) -> datetime | None:
    hours, due = expiry.integer("validHours"), expiry.text("dueDate")
    try:
        if hours is not None:
            return now + timedelta(hours=hours)
        if due is None:
            return None
        at = datetime.fromisoformat(due)
        return (at if at.tzinfo else at.replace(tzinfo=_SEOUL)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("accountExpiry is no time") from error
