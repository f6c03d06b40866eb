"""V1 response schemas: the envelope, the payment, the balance."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from litestar import Response

from portone_sandbox.core import banks
from portone_sandbox.core.brands import v1_word
from portone_sandbox.core.money import to_major
from portone_sandbox.core.payments import Cancellation, Deposit, Method, Payment, Status
from portone_sandbox.core.receipts import receipt_url
from portone_sandbox.core.settings import Channel, Settings

# V1 has one word for an open window, an abandoned one, and an account without a deposit.
_STATUS = {
    Status.READY: "ready",
    Status.PAY_PENDING: "ready",
    Status.VIRTUAL_ACCOUNT_ISSUED: "ready",
    Status.PAID: "paid",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}
_METHOD = {
    Method.CARD: "card",
    Method.VIRTUAL_ACCOUNT: "vbank",
    Method.TRANSFER: "trans",
    Method.MOBILE: "phone",
    Method.EASY_PAY: "point",
    Method.GIFT_CERTIFICATE: "culturelgift",
}
METHODS = {word: method for method, word in _METHOD.items()}
MERCHANT_UID_LENGTH_MAX = 40
STATUSES = ("all", "ready", "paid", "cancelled", "failed")


def envelope(
    response: object, *, code: int = 0, message: str = "", status: int = 200
) -> Response[bytes]:
    """The envelope of every V1 response: `code` 0 is success, regardless of the HTTP status."""
    body = msgspec.json.encode({"code": code, "message": message, "response": response})
    return Response(body, status_code=status, media_type="application/json; charset=utf-8")


def v1_method(payment: Payment) -> str:
    """V1's word for how the buyer pays; a wallet's is in emb_pg_provider."""
    if payment.method is Method.GIFT_CERTIFICATE:
        return v1_word(payment.brand) or _METHOD[payment.method]
    return _METHOD[payment.method]


def v1_status(payment: Payment, settings: Settings) -> str:
    """V1's status word; after a partial cancellation, Settings.v1_partial_cancel_status."""
    if payment.status is Status.PARTIAL_CANCELLED:
        return settings.v1_partial_cancel_status
    return _STATUS[payment.status]


def unix(at: datetime | None) -> int:
    """UNIX seconds; 0 if it has not happened."""
    return 0 if at is None else int(at.timestamp())


def show_payment(payment: Payment, settings: Settings) -> dict[str, object]:
    """A payment, as PaymentAnnotation; amounts in major units."""
    channel = settings.channel(payment.channel_key, payment.version)
    shown: dict[str, object | None] = {
        "imp_uid": payment.tx_id,
        "merchant_uid": payment.order_id,
        "pay_method": v1_method(payment),
        "channel": payment.channel,
        **_pg_fields(payment, channel),
        "sandbox": True,
        "escrow": payment.escrow,
        **_card_fields(payment),
        **_transfer_fields(payment),
        **_account_fields(payment),
        "name": payment.name,
        "amount": to_major(payment.amount, payment.currency),
        "cancel_amount": to_major(payment.cancelled, payment.currency),
        "currency": payment.currency,
        **buyer_fields(payment),
        "custom_data": payment.custom_data,
        "user_agent": "sorry_not_supported_anymore",
        "status": v1_status(payment, settings),
        **_time_fields(payment),
        "fail_reason": payment.failure.reason if payment.failure else None,
        "cancel_reason": payment.cancellations[-1].reason if payment.cancellations else None,
        "receipt_url": receipt_url(payment),
        "cancel_history": [
            show_cancellation(c, payment) for c in payment.cancellations if c.status == "SUCCEEDED"
        ],
        "deposit_history": [show_deposit(d, payment) for d in payment.deposits],
        "cancel_receipt_urls": [
            receipt_url(payment, c) for c in payment.cancellations if c.status == "SUCCEEDED"
        ],
        "cash_receipt_issued": False,
        "customer_uid": payment.customer_uid,
        "customer_uid_usage": None,
    }
    return fit(shown, settings)


def fit(shown: dict[str, object | None], settings: Settings) -> dict[str, object]:
    """Drop or keep empty fields, according to Settings.v1_empty_fields."""
    if settings.v1_empty_fields == "null":
        return dict(shown)
    return {name: value for name, value in shown.items() if value is not None}


def _pg_fields(payment: Payment, channel: Channel | None) -> dict[str, object | None]:
    return {
        "pg_provider": v1_provider(payment, channel),
        "pg_tid": payment.pg_tx_id or None,
        "pg_id": payment.pg_id or (channel.pg_id if channel else None),
        "emb_pg_provider": v1_word(payment.brand) if payment.method is Method.EASY_PAY else None,
    }


def v1_provider(payment: Payment, channel: Channel | None) -> str | None:
    """V1's code of the payment company."""
    return payment.pg_provider or (channel.pg_provider.lower() if channel else None)


def _card_fields(payment: Payment) -> dict[str, object | None]:
    card = payment.card
    return {
        "apply_num": card.approval_number if card else None,
        "card_code": card.issuer_code if card else None,
        "card_name": card.name if card else None,
        "card_issuer_code": card.company.code if card else None,
        "card_issuer_name": card.company.korean if card else None,
        "card_publisher_code": card.company.code if card else None,
        "card_publisher_name": card.company.korean if card else None,
        "card_quota": card.installment_months if card else 0,
        "card_number": card.number if card else None,
        "card_type": 0 if card else None,
    }


def _transfer_fields(payment: Payment) -> dict[str, object | None]:
    by_transfer = payment.method is Method.TRANSFER and payment.bank is not None
    bank = banks.find(payment.bank or "") if by_transfer else None
    return {
        "bank_code": bank.code if bank else None,
        "bank_name": bank.korean if bank else None,
    }


def _account_fields(payment: Payment) -> dict[str, object | None]:
    account = payment.account
    if account is None:
        none = ("vbank_code", "vbank_name", "vbank_num", "vbank_holder")
        return dict.fromkeys(none, None) | {"vbank_date": 0, "vbank_issued_at": 0}
    bank = banks.find(account.bank)
    return {
        "vbank_code": bank.code if bank else account.bank,
        "vbank_name": bank.korean if bank else account.bank,
        "vbank_num": account.number,
        "vbank_holder": account.holder,
        "vbank_date": unix(account.due_at),
        "vbank_issued_at": unix(account.issued_at),
    }


def buyer_fields(payment: Payment) -> dict[str, object | None]:
    """The buyer, as given."""
    buyer = payment.buyer
    return {
        "buyer_name": buyer.name,
        "buyer_email": buyer.email,
        "buyer_tel": buyer.phone,
        "buyer_addr": buyer.address,
        "buyer_postcode": buyer.postcode,
    }


def _time_fields(payment: Payment) -> dict[str, object | None]:
    return {
        "started_at": unix(payment.requested_at),
        "paid_at": unix(payment.paid_at),
        "failed_at": unix(payment.failed_at),
        "cancelled_at": unix(payment.cancelled_at),
    }


def show_cancellation(cancellation: Cancellation, payment: Payment) -> dict[str, object]:
    """One cancellation, as PaymentCancelAnnotation."""
    return {
        "pg_tid": cancellation.pg_tx_id or "",
        "amount": to_major(cancellation.amount, payment.currency),
        "cancelled_at": unix(cancellation.cancelled_at),
        "reason": cancellation.reason,
        "cancellation_id": cancellation.id,
        "receipt_url": receipt_url(payment, cancellation),
    }


def show_deposit(arrived: Deposit, payment: Payment) -> dict[str, object]:
    """One deposit; the schema requires a `reason` without describing it."""
    return {
        "pg_tid": arrived.tx_id,
        "amount": to_major(arrived.amount, payment.currency),
        "reason": "",
        "depositor_name": arrived.depositor,
        "deposited_at": unix(arrived.deposited_at),
    }


def show_page(
    payments: list[Payment], page: int, limit: int, settings: Settings
) -> dict[str, object]:
    """One page of a list; `previous` and `next` are page numbers, 0 when there is none."""
    start = (page - 1) * limit
    return {
        "total": len(payments),
        "previous": page - 1 if page > 1 else 0,
        "next": page + 1 if start + limit < len(payments) else 0,
        "list": [show_payment(p, settings) for p in payments[start : start + limit]],
    }


def show_balance(payment: Payment) -> dict[str, object]:
    """Tax parts of the remaining amount, with their history."""
    done = [c for c in payment.cancellations if c.status == "SUCCEEDED"]
    first = _parts(payment, [])
    histories = [_history(first, unix(payment.paid_at))]
    for count, cancellation in enumerate(done, start=1):
        parts = _parts(payment, done[:count])
        histories.append(_history(parts, unix(cancellation.cancelled_at)))
    return {
        "amount": to_major(payment.amount, payment.currency),
        **_sources(_parts(payment, done)),
        "histories": histories,
    }


def _parts(payment: Payment, cancelled: Iterable[Cancellation]) -> dict[str, object]:
    """Tax-free, supply and VAT after some cancellations, each reduced by its refunded part."""
    given_back = list(cancelled)
    tax_free = payment.tax_free - sum(c.tax_free for c in given_back)
    vat = payment.vat - sum(c.vat for c in given_back)
    left = payment.amount - sum(c.amount for c in given_back)
    if not payment.was_paid:
        tax_free = vat = left = 0
    vat = max(0, min(vat, left - tax_free))
    shown = {"tax_free": tax_free, "supply": left - tax_free - vat, "vat": vat, "service": 0}
    return {name: to_major(value, payment.currency) for name, value in shown.items()}


def _sources(primary: dict[str, object]) -> dict[str, object]:
    nothing = {"tax_free": 0, "supply": 0, "vat": 0, "service": 0}
    return {
        "cash_receipt": nothing,
        "primary": primary,
        "secondary": nothing,
        "discount": nothing,
    }


def _history(parts: dict[str, object], created: int) -> dict[str, object]:
    return {**_sources(parts), "created": created}
