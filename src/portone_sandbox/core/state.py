"""The state shared by all parts of the sandbox: store, clock, settings, faults, outbox."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from portone_sandbox.core.clock import Clock
from portone_sandbox.core.errors import PaymentNotFound
from portone_sandbox.core.faults import Faults
from portone_sandbox.core.ids import Ids
from portone_sandbox.core.journal import Journal
from portone_sandbox.core.near_misses import explain_unknown_attempt
from portone_sandbox.core.payments import Payment
from portone_sandbox.core.settings import Credentials, Settings
from portone_sandbox.core.store import Store
from portone_sandbox.core.webhook import V1_STATUS, Event, Webhook, WebhookTrigger, v1_body, v2_body
from portone_sandbox.core.webhook import V2_RETRY_MINUTES as _V2_RETRIES

_IMP_UID_DIGITS = 12  # samples show "imp_" and twelve digits
FORGED_SECRET = "whsec_Zm9yZ2VkLXNlY3JldC1vZi1hbi1hdHRhY2tlcg=="  # noqa: S105 - an attacker's


# Parts of the state that a reset can keep, and the notes that hold them. `*` ends a prefix.
Kept = Literal["keys", "settings", "faults", "clock", "tokens"]
_NOTES: dict[Kept, tuple[str, ...]] = {
    "keys": ("credentials",),
    "settings": ("settings",),
    "faults": ("faults", "next_fault"),
    "clock": ("clock_*",),
    "tokens": ("v1_token", "v2_tokens", "oauth_token_*"),
}
_KEPT_BY_DEFAULT: tuple[Kept, ...] = ("tokens",)


class SandboxState:
    """One sandbox. Its methods never await, so each request's change is atomic."""

    def __init__(
        self,
        store: Store,
        flags: Mapping[str, object] | None = None,
        name: str = "",
        seed: int | None = None,
    ) -> None:
        """Open a sandbox; `flags` are the settings that this run was started with.

        `name` is that of its store, empty for the main one; a `seed` makes its ids repeatable.

        Raises msgspec.ValidationError for flags that are no settings.
        """
        self.name = name
        self.store = store
        self.seed = seed
        self.ids = Ids(store, None if seed is None else f"{seed}/{name}")
        self.clock = Clock(store)
        self.faults = Faults(store)
        self.journal = Journal()
        self.wake_sender: Callable[[], None] = lambda: None
        # A flag is of its run, a change by a test is of the file; the later one of both holds.
        self.initial_flags = dict(flags or {})
        self._flags = dict(self.initial_flags)
        self._changes = self._load_changes()
        self.settings = self._effective(self._changes, self._flags)
        self.credentials = self._load_credentials()

    def _load_changes(self) -> dict[str, object]:
        stored = self.store.get_note("settings")
        changes = msgspec.json.decode(stored, type=dict[str, object]) if stored else {}
        try:
            self._effective(changes, {})
        except msgspec.ValidationError:
            # Another version stored them: drop what this one does not take.
            return {name: value for name, value in changes.items() if _is_valid(name, value)}
        return changes

    @staticmethod
    def _effective(changes: Mapping[str, object], flags: Mapping[str, object]) -> Settings:
        return msgspec.convert({**changes, **flags}, Settings)

    def _load_credentials(self) -> Credentials:
        stored = self.store.get_note("credentials")
        return msgspec.json.decode(stored, type=Credentials) if stored else Credentials()

    def change_settings(self, named: Mapping[str, object]) -> None:
        """Change the named settings, and store them; raises msgspec.ValidationError."""
        changes = {**self._changes, **named}
        flags = {name: value for name, value in self._flags.items() if name not in named}
        self.settings = self._effective(changes, flags)
        self._changes, self._flags = changes, flags
        self.store.put_note("settings", msgspec.json.encode(changes))

    def change_credentials(self, credentials: Credentials) -> None:
        """Apply new credentials, and store them."""
        self.credentials = credentials
        self.store.put_note("credentials", msgspec.json.encode(credentials))

    def reset(self, keep: Collection[Kept] = _KEPT_BY_DEFAULT) -> None:
        """Delete payments, webhooks, the journal, and everything else that is not to be kept.

        Clients cache tokens, so that these are kept unless the caller says otherwise.
        """
        self.store.clear([name for kept in keep for name in _NOTES[kept]])
        self.journal.clear()
        if "clock" not in keep:
            self.clock.reset()
        if "faults" not in keep:
            self.faults.clear()
        if "settings" not in keep:
            self._changes, self._flags = {}, dict(self.initial_flags)
            self.settings = self._effective(self._changes, self._flags)
        if "keys" not in keep:
            self.credentials = Credentials()

    def now(self) -> datetime:
        """The sandbox's time, UTC."""
        return self.clock.now()

    def new_tx_id(self, version: str) -> str:
        """A new imp_uid, or V2 transaction id."""
        if version == "V1":
            return f"imp_{self.ids.digits(_IMP_UID_DIGITS)}"
        return str(self.ids.uuid())

    def get_payment(self, tx_id: str) -> Payment:
        """An attempt by imp_uid or transaction id; raises PaymentNotFound."""
        payment = self.store.find_payment(tx_id)
        if payment is None:
            explain_unknown_attempt(self.store, tx_id)
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
            id=self.ids.webhook_id(),
            webhook_id=self.ids.webhook_id(),
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


def _is_valid(name: str, value: object) -> bool:
    try:
        msgspec.convert({name: value}, Settings)
    except msgspec.ValidationError:
        return False
    return True
