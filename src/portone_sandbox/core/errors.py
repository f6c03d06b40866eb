"""Why the gateway refuses, named by V2's error types. Each version words them in its own way."""


class Refused(Exception):
    """The gateway refuses a request."""

    type = "INVALID_REQUEST"
    default_message = "the gateway refuses the request"

    def __init__(self, message: str | None = None, **extra: str) -> None:
        self.message = message or self.default_message
        super().__init__(self.message)
        self.extra = extra


class InvalidRequest(Refused):
    """The request is malformed."""

    default_message = "the request is malformed"


class Unauthorized(Refused):
    """The credential is missing, wrong or expired."""

    type = "UNAUTHORIZED"
    default_message = "the credential is missing, wrong or expired"


class Forbidden(Refused):
    """The credential does not belong to this store."""

    type = "FORBIDDEN"
    default_message = "the credential does not belong to this store"


class PaymentNotFound(Refused):
    """No payment has this id."""

    type = "PAYMENT_NOT_FOUND"
    default_message = "no payment has this id"


class ChannelNotFound(Refused):
    """No channel has this key."""

    type = "CHANNEL_NOT_FOUND"
    default_message = "no channel has this key"


class NotPlayed(Refused):
    """PortOne has it, and the sandbox does not play it."""

    type = "NOT_PLAYED"
    default_message = "not played by the sandbox"


class ConfirmationRefused(Refused):
    """The merchant's confirm URL refused the payment."""

    type = "CONFIRM_PROCESS_FAILED"
    default_message = "the merchant's confirm URL refused the payment"


class AlreadyPaid(Refused):
    """The order is already paid."""

    type = "ALREADY_PAID"
    default_message = "the order is already paid"


class PaymentNotPaid(Refused):
    """The payment is not paid."""

    type = "PAYMENT_NOT_PAID"
    default_message = "the payment is not paid"


class AlreadyCancelled(Refused):
    """The payment is already cancelled in full."""

    type = "PAYMENT_ALREADY_CANCELLED"
    default_message = "the payment is already cancelled in full"


class CancellableAmountMismatch(Refused):
    """The cancellable amount is not what the request believes."""

    type = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN"
    default_message = "the cancellable amount is not what the request believes"


class CancelExceedsAmount(Refused):
    """More than the cancellable amount was asked for."""

    type = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT"
    default_message = "more than the cancellable amount was asked for"


class CancelExceedsTaxFree(Refused):
    """More than the cancellable tax-free amount was asked for."""

    type = "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT"
    default_message = "more than the cancellable tax-free amount was asked for"


class CancelExceedsTaxable(Refused):
    """More than the cancellable taxable amount was asked for."""

    type = "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT"
    default_message = "more than the cancellable taxable amount was asked for"


class PartsExceedCancel(Refused):
    """Tax-free and VAT parts are more than the cancel itself."""

    type = "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT"
    default_message = "tax-free and VAT parts are more than the cancel itself"


class PartsExceedTotal(Refused):
    """Tax-free and VAT parts are more than the total."""

    type = "SUM_OF_PARTS_EXCEEDS_TOTAL_AMOUNT"
    default_message = "tax-free and VAT parts are more than the total"


class TooManyCancels(Refused):
    """No more cancels are allowed for this payment."""

    type = "MAX_CANCEL_COUNT_REACHED"
    default_message = "no more cancels are allowed for this payment"


class TooManyTransactions(Refused):
    """No more attempts are allowed for this payment id."""

    type = "MAX_TRANSACTION_COUNT_REACHED"
    default_message = "no more attempts are allowed for this payment id"


class NotWaitingForDeposit(Refused):
    """The payment has no account that waits for a deposit."""

    type = "PAYMENT_NOT_WAITING_FOR_DEPOSIT"
    default_message = "the payment has no account that waits for a deposit"


class InvalidPaymentToken(Refused):
    """The payment token is not one that waits for approval."""

    type = "INVALID_PAYMENT_TOKEN"
    default_message = "the payment token is not one that waits for approval"


class InformationMismatch(Refused):
    """What the request expects is not what the buyer authenticated."""

    type = "INFORMATION_MISMATCH"
    default_message = "what the request expects is not what the buyer authenticated"


class AmountNotAsRegistered(Refused):
    """The window was opened with another amount than was registered."""

    type = "AMOUNT_NOT_EQUAL_TO_PREDEFINED"
    default_message = "the window was opened with another amount than was registered"


class ScheduleAlreadyExists(Refused):
    """A payment is already scheduled under this id."""

    type = "PAYMENT_SCHEDULE_ALREADY_EXISTS"
    default_message = "a payment is already scheduled under this id"


class RefundAccountMissing(Refused):
    """A virtual-account refund needs the account to send it to."""

    default_message = "a virtual-account refund needs the account to send it to"


class NoAccountRefund(Refused):
    """The payment has no refund into a buyer's account."""

    type = "NO_ACCOUNT_REFUND"
    default_message = "the payment has no refund into a buyer's account"


class WebhookNotFound(Refused):
    """No webhook of this payment has this id."""

    type = "WEBHOOK_NOT_FOUND"
    default_message = "no webhook of this payment has this id"


class TooManyWebhookRetries(Refused):
    """This webhook was sent as often as it may be."""

    type = "MAX_WEBHOOK_RETRY_COUNT_REACHED"
    default_message = "this webhook was sent as often as it may be"


class PgRefused(Refused):
    """The payment company behind the gateway refused."""

    type = "PG_PROVIDER"
    default_message = "the payment company behind the gateway refused"


class CompanyRefused(PgRefused):
    """The payment company does not accept the order, the account or the refund."""

    default_message = "the payment company refused"


class BankRefused(Refused):
    """The bank rejected the deposit."""

    type = "BANK_REFUSED"
    default_message = "the bank rejected the deposit"


class InvalidTransition(Refused):
    """The payment's state does not allow this change."""

    type = "INVALID_TRANSITION"
    default_message = "the payment's state does not allow this change"
