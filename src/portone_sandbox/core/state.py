"""The state shared by all parts of the sandbox: store, clock, settings, faults, outbox."""

import secrets
import uuid
from collections.abc import Callable
from datetime import datetime

import msgspec

from portone_sandbox.core.clock import Clock
from portone_sandbox.core.errors import PaymentNotFound
from portone_sandbox.core.faults import Faults
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.settings import Credentials, Settings
from portone_sandbox.core.store import Store
from portone_sandbox.core.webhook import V1_STATUS, Event, Webhook, WebhookTrigger, v1_body, v2_body
from portone_sandbox.core.webhook import V2_RETRY_MINUTES as _V2_RETRIES

_IMP_UID_DIGITS = 12  # samples show "imp_" and twelve digits
FORGED_SECRET = "whsec_Zm9yZ2VkLXNlY3JldC1vZi1hbi1hdHRhY2tlcg=="  # noqa: S105 - an attacker's


class SandboxState:
    """One sandbox. Its methods never await, so each request's change is atomic."""

    def __init__(self, store: Store, initial_settings: Settings | None = None) -> None:
        self.store = store
        self.clock = Clock(store)
        self.faults = Faults(store)
        self.wake_sender: Callable[[], None] = lambda: None
        self._initial_settings = initial_settings or Settings()
        self.settings = self._load_settings()
        self.credentials = self._load_credentials()

    def _load_settings(self) -> Settings:
        stored = self.store.get_note("settings")
        if stored is None:
            return msgspec.structs.replace(self._initial_settings)
        settings = msgspec.json.decode(stored, type=Settings)
        # Command-line options override stored settings.
        settings.webhook_url_v1 = self._initial_settings.webhook_url_v1 or settings.webhook_url_v1
        settings.webhook_url_v2 = self._initial_settings.webhook_url_v2 or settings.webhook_url_v2
        return settings

    def _load_credentials(self) -> Credentials:
        stored = self.store.get_note("credentials")
        return msgspec.json.decode(stored, type=Credentials) if stored else Credentials()

    def change_settings(self, settings: Settings) -> None:
        """Apply new settings, and store them."""
        self.settings = settings
        self.store.put_note("settings", msgspec.json.encode(settings))

    def change_credentials(self, credentials: Credentials) -> None:
        """Apply new credentials, and store them."""
        self.credentials = credentials
        self.store.put_note("credentials", msgspec.json.encode(credentials))

    def reset(self) -> None:
        """Delete payments, webhooks, faults and settings; reset the clock."""
        self.store.clear()
        self.clock.reset()
        self.faults.clear()
        self.settings = msgspec.structs.replace(self._initial_settings)
        self.credentials = Credentials()

    def now(self) -> datetime:
        """The sandbox's time, UTC."""
        return self.clock.now()

    def new_tx_id(self, version: str) -> str:
        """A new imp_uid, or V2 transaction id."""
        if version == "V1":
            low = 10 ** (_IMP_UID_DIGITS - 1)
            return f"imp_{low + secrets.randbelow(9 * low)}"
        return str(uuid.uuid4())

    def get_payment(self, tx_id: str) -> Payment:
        """An attempt by imp_uid or transaction id; raises PaymentNotFound."""
        payment = self.store.find_payment(tx_id)
        if payment is None:
            raise PaymentNotFound
        return payment

    def notify(
        self,
        payment: Payment,
        event: Event,
        cancellation_id: str | None = None,
        trigger: WebhookTrigger | None = None,
    ) -> None:
        """Put a webhook into the outbox for each URL that wants one; sending happens later.

        A payment's own notice URLs replace the console's.
        """
        status = V1_STATUS.get(event)
        console = (
            self.settings.webhook_url_v1
            if payment.version == "V1"
            else self.settings.webhook_url_v2
        )
        urls = payment.notice_urls or ([console] if console else [])
        if (payment.version == "V1" and status is None) or not urls:
            return
        payment.used_webhook = True
        for url in urls:
            self._enqueue(payment, event, url, cancellation_id, trigger)
        self.wake_sender()

    def _enqueue(
        self,
        payment: Payment,
        event: Event,
        url: str,
        cancellation_id: str | None,
        trigger: WebhookTrigger | None,
    ) -> None:
        webhook = self._compose(payment, event, url, cancellation_id, trigger)
        for earlier in self.store.list_held_webhooks():
            if earlier.after is None:
                earlier.after = webhook.id
                self.store.save_webhook(earlier)
        for message in self.faults.apply_to_webhook(webhook, self.settings.webhook_delay_seconds):
            self.store.save_webhook(message)

    def _compose(
        self,
        payment: Payment,
        event: Event,
        url: str,
        cancellation_id: str | None,
        trigger: WebhookTrigger | None,
    ) -> Webhook:
        now, form = self.now(), self.settings.v1_webhook_format == "form"
        if payment.version == "V1":
            status, style = V1_STATUS[event], self.settings.v1_webhook_format
            body = v1_body(payment, status, cancellation_id, style)
            attempts = 1 + self.settings.v1_webhook_retries
        else:
            body = v2_body(payment, event, self.credentials.v2.store_id, now, cancellation_id)
            attempts = 1 + len(_V2_RETRIES)
        as_form = payment.version == "V1" and form
        return Webhook(
            id=new_webhook_id(),
            webhook_id=new_webhook_id(),
            version=payment.version,
            tx_id=payment.tx_id,
            order_id=payment.order_id,
            event=event,
            url=url,
            content_type="application/x-www-form-urlencoded" if as_form else "application/json",
            body=body,
            created_at=now,
            payment_status=payment.status,
            max_attempts=attempts,
            next_at=now,
            cancellation_id=cancellation_id,
            trigger=trigger,
        )


def new_webhook_id() -> str:
    """An id for one message, as a webhook-id header shows it."""
    return f"wh_{uuid.uuid4().hex}"
