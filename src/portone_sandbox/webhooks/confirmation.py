"""The confirm process: before a payment is approved, its merchant is asked whether it may be."""

from datetime import UTC, datetime

import httpx
import msgspec

from portone_sandbox.core.clock import show_moment
from portone_sandbox.core.money import to_major
from portone_sandbox.core.payments import Failure, Payment
from portone_sandbox.core.state import SandboxState
from portone_sandbox.webhooks.delivery import common_headers, signature_headers

TIMEOUT_SECONDS = 10.0
_CODE = "CONFIRM_PROCESS_FAILED"
_OK = 200
_REASON_LENGTH_MAX = 500


async def confirm(sandbox: SandboxState, payment: Payment) -> Failure | None:
    """Ask the payment's confirm URL, if it has one; the failure if it does not agree.

    Only status 200 within 10 seconds agrees. A refusal may carry `reason` (V1) or `errorMessage`.
    """
    if payment.confirm_url is None:
        return None
    try:
        status, said = await _ask(sandbox, payment, payment.confirm_url)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return _failure(f"confirm_url: {type(error).__name__}")
    if status == _OK:
        return None
    return _failure(said or f"confirm_url: {status}")


def _failure(reason: str) -> Failure:
    shown = reason[:_REASON_LENGTH_MAX]
    return Failure(shown, _CODE, shown, sdk_code="ConfirmProcessFailed")


async def _ask(sandbox: SandboxState, payment: Payment, url: str) -> tuple[int, str | None]:
    body, headers = _message(sandbox, payment)
    # No environment proxy and no redirects, as for webhooks.
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_SECONDS) as client:
        response = await client.post(url, content=body, headers=headers)
    try:
        said = msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return response.status_code, None
    name = "reason" if payment.version == "V1" else "errorMessage"
    reason = said.get(name) if isinstance(said, dict) else None
    return response.status_code, reason if isinstance(reason, str) else None


def _message(sandbox: SandboxState, payment: Payment) -> tuple[str, dict[str, str]]:
    headers = common_headers(sandbox.name, "application/json")
    if payment.version == "V1":
        fields: dict[str, object] = {
            "imp_uid": payment.tx_id,
            "merchant_uid": payment.order_id,
            "amount": to_major(payment.amount, payment.currency),
        }
        return msgspec.json.encode(fields).decode(), headers
    data = {
        "storeId": sandbox.credentials.v2.store_id,
        "paymentId": payment.order_id,
        "transactionId": payment.tx_id,
        "totalAmount": payment.amount,
    }
    at = show_moment(sandbox.now())
    event = {"type": "Transaction.Confirm", "timestamp": at, "data": data}
    body = msgspec.json.encode(event).decode()
    keys = sandbox.credentials.v2
    secrets = [key for key in (keys.webhook_secret, keys.second_webhook_secret) if key]
    wall = sandbox.settings.v2_webhook_timestamp == "wall"
    stamp = int((datetime.now(UTC) if wall else sandbox.now()).timestamp())
    return body, headers | signature_headers(secrets, sandbox.ids.webhook_id(), stamp, body)
