"""The browser SDK's result, for either version."""

from portone_sandbox.core import banks
from portone_sandbox.core.money import to_major
from portone_sandbox.core.payments import Payment, Status
from portone_sandbox.core.settings import Settings
from portone_sandbox.v1.schema import unix, v1_method, v1_status

_LEFT = "사용자가 결제를 취소하셨습니다."


def sdk_result(payment: Payment, settings: Settings) -> dict[str, object]:
    """The callback's (V1) or promise's (V2) value. It proves nothing: look the payment up."""
    if payment.version == "V1":
        return _v1_result(payment, settings)
    return _v2_result(payment)


def _v1_result(payment: Payment, settings: Settings) -> dict[str, object]:
    failed = payment.status is Status.FAILED or payment.window_closed
    result: dict[str, object] = {
        "success": not failed,
        "imp_uid": payment.tx_id,
        "merchant_uid": payment.order_id,
        "pay_method": v1_method(payment.method),
        "paid_amount": to_major(payment.amount, payment.currency),
        "currency": payment.currency,
        "status": v1_status(payment, settings),
        "name": payment.name,
        "pg_tid": payment.pg_tx_id,
        "paid_at": unix(payment.paid_at),
        "error_code": None,
        "error_msg": None,
    }
    if failed:
        code = payment.failure.pg_code if payment.failure else "PAY_PROCESS_CANCELED"
        reason = payment.failure.reason if payment.failure else _LEFT
        result |= {"error_code": code, "error_msg": reason}
    account = payment.account
    if account:
        bank = banks.find(account.bank)
        result |= {
            "vbank_num": account.number,
            "vbank_code": bank.code if bank else account.bank,
            "vbank_name": bank.korean if bank else account.bank,
            "vbank_holder": account.holder,
            "vbank_date": unix(account.due_at),
        }
    return result


def _v2_result(payment: Payment) -> dict[str, object]:
    result: dict[str, object] = {
        "transactionType": "PAYMENT",
        "txId": payment.tx_id,
        "paymentId": payment.order_id,
    }
    if payment.payment_token:
        result["paymentToken"] = payment.payment_token
    if payment.failure:
        result |= {
            "code": "PGProviderError",
            "message": payment.failure.reason,
            "pgCode": payment.failure.pg_code,
            "pgMessage": payment.failure.pg_message,
        }
    elif payment.window_closed:
        result |= {"code": "PGProviderError", "message": _LEFT, "pgCode": "PAY_PROCESS_CANCELED"}
    return result
