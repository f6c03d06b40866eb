"""What members are told of their trades."""

from enum import StrEnum


class NotificationKind(StrEnum):
    """What a notice tells."""

    PAID = "PAID"
    APPROVED = "APPROVED"
    CONFIRMATION_REMINDER = "CONFIRM_PLEASE"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    ACCOUNT_NEEDED = "ACCOUNT_NEEDED"
    REFUND_REFUSED = "REFUND_REFUSED"
