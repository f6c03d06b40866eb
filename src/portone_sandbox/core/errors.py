"""Why the gateway refuses. The names are V2's error types; each version words them its own way."""


class Refused(Exception):
    """The gateway refuses a request."""

    type = "INVALID_REQUEST"

    def __init__(self, message: str | None = None, **extra: str) -> None:
        super().__init__(message or (self.__doc__ or self.type).strip())
        self.message = str(self)
        self.extra = extra


class InvalidRequest(Refused):
    """The request is malformed."""


class Unauthorized(Refused):
    """The credential is missing, wrong or expired."""

    type = "UNAUTHORIZED"


class Forbidden(Refused):
    """The credential is good, but not for this store."""

    type = "FORBIDDEN"


class PaymentNotFound(Refused):
    """No payment has this id."""

    type = "PAYMENT_NOT_FOUND"


class ChannelNotFound(Refused):
    """No channel has this key."""

    type = "CHANNEL_NOT_FOUND"


class AlreadyPaid(Refused):
    """The order is already paid."""

    type = "ALREADY_PAID"


class PaymentNotPaid(Refused):
    """The payment is not paid."""

    type = "PAYMENT_NOT_PAID"


class AlreadyCancelled(Refused):
    """The payment is already cancelled in full."""

    type = "PAYMENT_ALREADY_CANCELLED"


class CancellableAmountMismatch(Refused):
    """The cancellable amount is not what the request believes."""

    type = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"


class CancelExceedsAmount(Refused):
    """More than the cancellable amount was asked for."""

    type = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"


class CancelExceedsTaxFree(Refused):
    """More than the cancellable tax-free amount was asked for."""

    type = "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT"


class CancelExceedsTaxable(Refused):
    """More than the cancellable taxable amount was asked for."""

    type = "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT"


class PartsExceedCancel(Refused):
    """Tax-free and VAT parts are more than the cancel itself."""

    type = "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT"


class PartsExceedTotal(Refused):
    """Tax-free and VAT parts are more than the total."""

    type = "SUM_OF_PARTS_EXCEEDS_TOTAL_AMOUNT"


class TooManyCancels(Refused):
    """No more cancels are allowed for this payment."""

    type = "MAX_CANCEL_COUNT_REACHED"


class TooManyTransactions(Refused):
    """No more attempts are allowed for this payment id."""

    type = "MAX_TRANSACTION_COUNT_REACHED"


class NotWaitingForDeposit(Refused):
    """The payment has no account that waits for a deposit."""

    type = "PAYMENT_NOT_WAITING_FOR_DEPOSIT"


class InvalidPaymentToken(Refused):
    """The payment token is not one that waits for approval."""

    type = "INVALID_PAYMENT_TOKEN"


class InformationMismatch(Refused):
    """What the request expects is not what the buyer authenticated."""

    type = "INFORMATION_MISMATCH"


class AmountNotAsRegistered(Refused):
    """The window was opened with another amount than was registered."""

    type = "AMOUNT_NOT_EQUAL_TO_PREDEFINED"


class ScheduleAlreadyExists(Refused):
    """A payment is already scheduled under this id."""

    type = "PAYMENT_SCHEDULE_ALREADY_EXISTS"


class RefundAccountMissing(Refused):
    """A virtual-account refund needs the account to send it to."""


class WebhookNotFound(Refused):
    """No webhook of this payment has this id."""

    type = "WEBHOOK_NOT_FOUND"


class TooManyWebhookRetries(Refused):
    """This webhook was sent as often as it may be."""

    type = "MAX_WEBHOOK_RETRY_COUNT_REACHED"


class PgRefused(Refused):
    """The payment company behind the gateway refused."""

    type = "PG_PROVIDER"


class BankRefused(Refused):
    """The bank turned the deposit back."""

    type = "BANK_REFUSED"


class InvalidTransition(Refused):
    """The payment's state does not allow this change."""

    type = "INVALID_TRANSITION"
