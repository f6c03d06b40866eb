"""A webhook: its event, its body in either version, and every delivery attempt."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from urllib.parse import urlencode

import msgspec

from portone_sandbox.core.clock import show_moment
from portone_sandbox.core.payments import Payment, Status, Version

WebhookTrigger = Literal[
    "MANUAL",
    "VIRTUAL_ACCOUNT_DEPOSIT",
    "ASYNC_CANCEL_APPROVED",
    "ASYNC_CANCEL_FAILED",
    "ASYNC_PAY_APPROVED",
    "ASYNC_PAY_FAILED",
    "ASYNC_PAY_PENDING",
]
# V2: at once, then five more with these bases, each times a random 0–1 (full jitter).
V2_RETRY_MINUTES = (1, 4, 16, 64, 256)


class Event(StrEnum):
    """What a webhook reports, as V2 names it."""

    READY = "Transaction.Ready"
    PAY_PENDING = "Transaction.PayPending"
    VIRTUAL_ACCOUNT_ISSUED = "Transaction.VirtualAccountIssued"
    PAID = "Transaction.Paid"
    FAILED = "Transaction.Failed"
    PARTIAL_CANCELLED = "Transaction.PartialCancelled"
    CANCELLED = "Transaction.Cancelled"
    CANCEL_PENDING = "Transaction.CancelPending"


# V1 reports three things only; neither an opened window nor an ordinary failure.
V1_STATUS: dict[Event, str] = {
    Event.VIRTUAL_ACCOUNT_ISSUED: "ready",
    Event.PAID: "paid",
    Event.PARTIAL_CANCELLED: "cancelled",
    Event.CANCELLED: "cancelled",
}


class Attempt(msgspec.Struct):
    """One delivery attempt; `status` is null without a response."""

    at: datetime
    status: int | None
    error: str | None
    seconds: float
    request_headers: dict[str, str]
    response_headers: dict[str, str] = msgspec.field(default_factory=dict)
    response_body: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the receiver responded OK."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004


class Webhook(msgspec.Struct):
    """One message to one URL, with every delivery attempt."""

    id: str
    webhook_id: str
    version: Version
    tx_id: str
    order_id: str
    event: Event
    url: str
    content_type: str
    body: str
    created_at: datetime
    payment_status: Status
    max_attempts: int
    next_at: datetime | None
    state: Literal["pending", "held", "delivered", "failed", "dropped"] = "pending"
    cancellation_id: str | None = None
    trigger: WebhookTrigger | None = None
    after: str | None = None
    fault: str | None = None
    manual_sends: int = 0
    forged: bool = False
    attempts: list[Attempt] = msgspec.field(default_factory=list)


def v1_body(payment: Payment, status: str, cancellation_id: str | None, style: str) -> str:
    """V1's body: ids and a status, JSON or form as configured in the console. It is unsigned."""
    fields = {"imp_uid": payment.tx_id, "merchant_uid": payment.order_id, "status": status}
    if cancellation_id:
        fields["cancellation_id"] = cancellation_id
    if style == "form":
        return urlencode(fields)
    return msgspec.json.encode(fields).decode()


def v2_body(
    payment: Payment, event: Event, store_id: str, at: datetime, cancellation_id: str | None
) -> str:
    """V2's body (version 2024-04-25): ids only; `timestamp` stays the same over retries."""
    fields = {
        "storeId": store_id,
        "paymentId": payment.order_id,
        "transactionId": payment.tx_id,
    }
    if cancellation_id:
        fields["cancellationId"] = cancellation_id
    shown = {"type": event, "timestamp": show_moment(at), "data": fields}
    return msgspec.json.encode(shown).decode()
