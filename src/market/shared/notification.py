"""The kinds of notifications."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """An event that members are notified of. Values are stored."""

    PAID = "PAID"
    APPROVED = "APPROVED"
    CONFIRMATION_REMINDER = "CONFIRM_PLEASE"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    ACCOUNT_NEEDED = "ACCOUNT_NEEDED"
    REFUND_REFUSED = "REFUND_REFUSED"
