"""The browser SDK's result, for either version."""

import msgspec

from portone_sandbox.core import banks
from portone_sandbox.core.money import to_major
from portone_sandbox.core.payments import Method, Payment, Status
from portone_sandbox.core.receipts import receipt_url
from portone_sandbox.core.settings import Settings
from portone_sandbox.v1.schema import buyer_fields, unix, v1_method, v1_provider, v1_status

_LEFT = "사용자가 결제를 취소하셨습니다."


def sdk_result(payment: Payment, settings: Settings) -> dict[str, object]:
    """The callback's (V1) or promise's (V2) value. It proves nothing: look the payment up."""
    if payment.version == "V1":
        return _v1_result(payment, settings)
    return _v2_result(payment)


def _v1_result(payment: Payment, settings: Settings) -> dict[str, object]:
    failed = payment.status is Status.FAILED or payment.window_closed
    channel = settings.channel(payment.channel_key, payment.version)
    result: dict[str, object] = {
        "success": not failed,
        "imp_uid": payment.tx_id,
        "merchant_uid": payment.order_id,
        "pay_method": v1_method(payment),
        "paid_amount": to_major(payment.amount, payment.currency),
        "currency": payment.currency,
        "status": v1_status(payment, settings),
        "name": payment.name,
        "pg_provider": v1_provider(payment, channel),
        "pg_tid": payment.pg_tx_id,
        "pg_type": "payment",
        **buyer_fields(payment),
        **_money_fields(payment),
        # The lookup has it as JSON text, the callback as given.
        "custom_data": msgspec.json.decode(payment.custom_data) if payment.custom_data else None,
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


def _money_fields(payment: Payment) -> dict[str, object]:
    card = payment.card
    bank = banks.find(payment.bank or "") if payment.method is Method.TRANSFER else None
    return {
        "receipt_url": receipt_url(payment),
        "apply_num": card.approval_number if card else None,
        "card_name": card.name if card else None,
        "card_number": card.number if card else None,
        "card_quota": card.installment_months if card else 0,
        "bank_name": bank.korean if bank else None,
    }


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
            "code": payment.failure.sdk_code,
            "message": payment.failure.reason,
            "pgCode": payment.failure.pg_code,
            "pgMessage": payment.failure.pg_message,
        }
    elif payment.window_closed:
        result |= {"code": "PGProviderError", "message": _LEFT, "pgCode": "PAY_PROCESS_CANCELED"}
    return result
