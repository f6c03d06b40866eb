"""The addresses of receipts: of a payment, and of each of its cancellations."""

from portone_sandbox.core.origin import origin
from portone_sandbox.core.payments import Cancellation, Payment


def receipt_url(payment: Payment, cancellation: Cancellation | None = None) -> str | None:
    """Where a receipt is shown; None if nothing was paid."""
    if not payment.was_paid:
        return None
    page = f"{origin()}/checkout/{payment.tx_id}/receipt"
    return f"{page}/{cancellation.id}" if cancellation else page
