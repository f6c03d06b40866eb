"""Delivery of a webhook: the V2 signature, and when a failed attempt is repeated."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

from portone_sandbox.core.webhook import V2_RETRY_MINUTES, Attempt, Webhook

V1_RETRY_MINUTE = 1
V2_CONNECT_SECONDS = V2_READ_SECONDS = 30.0
V1_CONNECT_SECONDS, V1_READ_SECONDS = 10.0, 30.0
V1_RETRY_SECONDS = 15.0


def sign(secret: str, webhook_id: str, timestamp: int, body: str) -> str:
    """A Standard Webhooks signature: HMAC-SHA256 over "id.timestamp.body"."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{webhook_id}.{timestamp}.{body}".encode()
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signature_headers(secrets: list[str], message_id: str, stamp: int, body: str) -> dict[str, str]:
    """The headers of Standard Webhooks, with a signature by each secret."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": " ".join(sign(key, message_id, stamp, body) for key in secrets),
    }


def common_headers(store: str, content_type: str) -> dict[str, str]:
    """The headers of every request; those of a named store tell its name."""
    headers = {"content-type": content_type, "user-agent": "portone-sandbox"}
    return headers | ({"x-sandbox-store": store} if store else {})


def next_attempt_at(
    webhook: Webhook, attempted: Attempt, due_at: datetime, jitter: float
) -> datetime | None:
    """When to retry, counted from the due time of the last attempt; None if it was the last.

    V2 counts every response that is not OK as a failure; V1 retries (by arrangement) only after
    network errors and 5xx.
    """
    done = len(webhook.attempts)
    if attempted.succeeded or done >= webhook.max_attempts:
        return None
    if webhook.version == "V1":
        refused = attempted.status is not None and attempted.status < 500  # noqa: PLR2004
        return None if refused else due_at + timedelta(minutes=V1_RETRY_MINUTE)
    base = V2_RETRY_MINUTES[min(done, len(V2_RETRY_MINUTES)) - 1]
    return due_at + timedelta(minutes=base * jitter)
