"""V2 response schemas: payments, attempts, cancellations, webhooks. Amounts in minor units."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from portone_sandbox.core.payments import (
    Buyer,
    Cancellation,
    Card,
    Method,
    OrderDetails,
    Payment,
    Status,
)
from portone_sandbox.core.receipts import receipt_url
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.webhook import Webhook

_METHOD_TYPES = {
    Method.CARD: "PaymentMethodCard",
    Method.VIRTUAL_ACCOUNT: "PaymentMethodVirtualAccount",
    Method.TRANSFER: "PaymentMethodTransfer",
    Method.MOBILE: "PaymentMethodMobile",
    Method.EASY_PAY: "PaymentMethodEasyPay",
    Method.GIFT_CERTIFICATE: "PaymentMethodGiftCertificate",
}
Shown = dict[str, object]


def show_payment(sandbox: SandboxState, payment: Payment) -> Shown:
    """A payment: the union discriminated by `status`, built from one attempt."""
    return {
        "status": payment.status,
        "id": payment.order_id,
        "transactionId": payment.tx_id,
        **_common(sandbox, payment),
        "origin": {
            "platformType": {"pc": "PC", "mobile": "MOBILE"}.get(payment.channel, "API"),
            "ipAddress": "127.0.0.1",
        },
        **_by_status(payment, {"disputes": []} if payment.status is Status.PAID else {}),
    }


def show_transaction(sandbox: SandboxState, payment: Payment) -> Shown:
    """One attempt, as an item of a payment's transactions."""
    return {
        "status": payment.status,
        "id": payment.tx_id,
        "paymentId": payment.order_id,
        **_common(sandbox, payment),
        **_by_status(payment, {}),
    }


def show_cancellation(cancellation: Cancellation) -> Shown:
    """A cancellation: the union SUCCEEDED, FAILED or REQUESTED."""
    return present(
        {
            "status": cancellation.status,
            "id": cancellation.id,
            "pgCancellationId": cancellation.pg_tx_id,
            "totalAmount": cancellation.amount,
            "taxFreeAmount": cancellation.tax_free,
            "vatAmount": cancellation.vat,
            "reason": cancellation.reason,
            "cancelledAt": cancellation.cancelled_at,
            "requestedAt": cancellation.requested_at,
            "trigger": cancellation.trigger,
        }
    )


def show_webhook(webhook: Webhook) -> Shown:
    """One webhook with its last delivery attempt."""
    last = webhook.attempts[-1] if webhook.attempts else None
    shown: Shown = {
        "paymentStatus": webhook.payment_status,
        "id": webhook.webhook_id,
        "url": webhook.url,
        "isAsync": webhook.trigger is not None,
        "currentExecutionCount": len(webhook.attempts),
        "maxExecutionCount": webhook.max_attempts,
        "trigger": webhook.trigger,
        "triggeredAt": webhook.created_at,
    }
    if last is None:
        return present(shown)
    shown["request"] = {
        "header": _header_text(last.request_headers),
        "body": webhook.body,
        "requestedAt": last.at,
    }
    if last.status is None:
        shown["status"] = "FAILED_UNEXPECTED_ERROR"
        return present(shown)
    shown["status"] = "SUCCEEDED" if last.succeeded else "FAILED_NOT_OK_RESPONSE"
    shown["response"] = {
        "code": str(last.status),
        "header": _header_text(last.response_headers),
        "body": last.response_body,
        "respondedAt": last.at + timedelta(seconds=last.seconds),
    }
    return present(shown)


def present(shown: Shown) -> Shown:
    """Drop empty fields, as V2 does."""
    return {name: value for name, value in shown.items() if value is not None}


def _common(sandbox: SandboxState, payment: Payment) -> Shown:
    keys = sandbox.credentials.v2
    return present(
        {
            "merchantId": keys.merchant_id,
            "storeId": keys.store_id,
            "method": _show_method(payment, sandbox.now()),
            "channel": _show_channel(sandbox, payment),
            "channelGroup": _show_group(sandbox, payment),
            "version": payment.version,
            "webhooks": [show_webhook(w) for w in sandbox.store.list_webhooks(payment.tx_id)],
            "requestedAt": payment.requested_at,
            "updatedAt": payment.updated_at,
            "statusChangedAt": payment.status_changed_at,
            "orderName": payment.name,
            "amount": _show_amount(payment),
            "currency": payment.currency,
            "customer": _show_customer(payment.buyer),
            "customData": payment.custom_data,
            **_show_details(payment.details),
        }
    )


def _show_details(details: OrderDetails) -> Shown:
    return {
        "products": [msgspec.to_builtins(product) for product in details.products] or None,
        "productCount": details.product_count,
        "isCulturalExpense": details.is_cultural_expense,
        "country": details.country,
    }


def _by_status(payment: Payment, paid: Shown) -> Shown:
    rows: dict[Status, Callable[[], Shown]] = {
        Status.FAILED: lambda: _failed(payment),
        Status.PAID: lambda: {**_money(payment), **_pg_response(payment), **paid},
        Status.PARTIAL_CANCELLED: lambda: {**_money(payment), **_cancelled(payment)},
        Status.CANCELLED: lambda: {**_money(payment), **_cancelled(payment)},
        Status.VIRTUAL_ACCOUNT_ISSUED: lambda: present({"pgTxId": payment.pg_tx_id or None}),
    }
    return rows.get(payment.status, dict)()


def _money(payment: Payment) -> Shown:
    cancels = [show_cancellation(c) for c in payment.cancellations] or None
    return present(
        {
            "paidAt": payment.paid_at,
            "pgTxId": payment.pg_tx_id,
            "receiptUrl": receipt_url(payment),
            "cancellations": cancels if payment.status is Status.PAID else None,
        }
    )


def _pg_response(payment: Payment) -> Shown:
    """The company's own response, as text: each company has a form of its own."""
    said = {"resultCode": "0000", "resultMsg": "정상 처리되었습니다.", "tid": payment.pg_tx_id}
    return {"pgResponse": msgspec.json.encode(said).decode()}


def _cancelled(payment: Payment) -> Shown:
    return {
        "cancellations": [show_cancellation(c) for c in payment.cancellations],
        "cancelledAt": payment.cancelled_at,
    }


def _failed(payment: Payment) -> Shown:
    failure = payment.failure
    return {
        "failedAt": payment.failed_at,
        "failure": present(
            {
                "reason": failure.reason if failure else None,
                "pgCode": failure.pg_code if failure else None,
                "pgMessage": failure.pg_message if failure else None,
            }
        ),
    }


def _show_amount(payment: Payment) -> Shown:
    came = payment.amount if payment.was_paid else 0
    return {
        "total": payment.amount,
        "taxFree": payment.tax_free,
        "vat": payment.vat,
        "supply": payment.amount - payment.tax_free - payment.vat,
        "discount": 0,
        "paid": came,
        "cancelled": payment.cancelled,
        "cancelledTaxFree": payment.cancelled_tax_free,
    }


def _show_customer(buyer: Buyer) -> Shown:
    address = {"type": "ONE_LINE", "oneLine": buyer.address} if buyer.address else None
    return present(
        {
            "id": buyer.id,
            "name": buyer.name,
            "email": buyer.email,
            "phoneNumber": buyer.phone,
            "address": address,
            "zipcode": buyer.postcode,
            "birthYear": buyer.birth_year,
            "gender": buyer.gender,
        }
    )


def _show_channel(sandbox: SandboxState, payment: Payment) -> Shown:
    channel = sandbox.settings.channel(payment.channel_key, payment.version)
    return {
        "type": "TEST",
        "id": f"channel-id-{payment.channel_key}",
        "key": payment.channel_key,
        "name": channel.name if channel else "removed",
        "pgProvider": channel.pg_provider if channel else "TOSSPAYMENTS",
        "pgMerchantId": channel.pg_id if channel else "removed",
    }


def _show_group(sandbox: SandboxState, payment: Payment) -> Shown | None:
    if payment.channel_group_id is None:
        return None
    group = sandbox.settings.channel_group(payment.channel_group_id)
    name = group.name if group else "removed"
    return {"id": payment.channel_group_id, "name": name, "isForTest": True}


def _show_method(payment: Payment, now: datetime) -> Mapping[str, object] | None:
    if payment.method is Method.VIRTUAL_ACCOUNT:
        return _show_account(payment, now)
    if payment.method is Method.CARD:
        return _show_card(payment.card)
    if payment.method is Method.GIFT_CERTIFICATE and not payment.was_paid:
        return None  # the schema requires an approval number
    more: dict[Method, Shown] = {
        Method.TRANSFER: {"bank": payment.bank},
        Method.MOBILE: {"phoneNumber": payment.buyer.phone},
        Method.EASY_PAY: _show_wallet(payment),
        Method.GIFT_CERTIFICATE: {
            "giftCertificateType": payment.brand,
            "approvalNumber": payment.pg_tx_id,
        },
    }
    return present({"type": _METHOD_TYPES[payment.method], **more[payment.method]})


def _show_wallet(payment: Payment) -> Shown:
    paid_from = {"type": "PaymentMethodEasyPayMethodCharge"} if payment.was_paid else None
    return {"provider": payment.brand, "easyPayMethod": paid_from}


def _show_card(card: Card | None) -> Shown:
    if card is None:
        return {"type": "PaymentMethodCard"}
    return {
        "type": "PaymentMethodCard",
        "card": {
            "publisher": card.company.name,
            "issuer": card.company.name,
            "bin": card.number[:6],
            "name": card.name,
            "number": card.number,
            "brand": "LOCAL",
            "type": "CREDIT",
            "ownerType": "PERSONAL",
        },
        "approvalNumber": card.approval_number,
        "installment": {"month": card.installment_months, "isInterestFree": False},
        "pointUsed": False,
    }


def _show_account(payment: Payment, now: datetime) -> Shown | None:
    account, refund = payment.account, payment.account_refund
    if account is None:  # the schema requires an account number in this method
        return None
    return present(
        {
            "type": "PaymentMethodVirtualAccount",
            "bank": account.bank,
            "accountNumber": account.number,
            "accountType": "FIXED" if account.fixed else "NORMAL",
            "remitteeName": account.holder,
            "remitterName": payment.deposits[0].depositor if payment.deposits else None,
            "expiredAt": account.due_at,
            "issuedAt": account.issued_at,
            "refundStatus": refund.status_at(now) if refund else None,
        }
    )


def _header_text(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
