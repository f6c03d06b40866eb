"""Fault rules set by a test, for calls to the gateway and for its webhooks."""

import fnmatch
from datetime import timedelta
from typing import Annotated, Literal, Protocol

import msgspec

from portone_sandbox.core.payments import VersionParam, to_version
from portone_sandbox.core.webhook import Webhook

GatewayFault = Literal[
    "timeout_before", "timeout_after", "error_500", "error_429", "garbage", "slow", "refuse"
]
WebhookFault = Literal["drop", "duplicate", "delay", "reorder", "forge"]
_WEBHOOK_FAULTS = frozenset({"drop", "duplicate", "delay", "reorder", "forge"})


class Match(msgspec.Struct, forbid_unknown_fields=True):
    """Selects the calls or webhooks a fault applies to; omitted fields match all.

    `path` is a prefix of PortOne's own path (without /v1 or /v2) or a glob; for webhooks it is
    matched against the URL's path. `event` names a V1 status or a V2 type.
    """

    version: VersionParam | None = None
    method: str | None = None
    path: str | None = None
    payment_id: str | None = None
    event: str | None = None

    def fits_version(self, version: str) -> bool:
        """Whether the version matches."""
        return self.version is None or to_version(self.version) == version

    def fits_path(self, path: str) -> bool:
        """Whether the path matches."""
        if self.path is None:
            return True
        if any(sign in self.path for sign in "*?["):
            return fnmatch.fnmatchcase(path, self.path)
        return path.startswith(self.path)


class FaultRule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault, for the next `times` matches (null: until it is deleted).

    `effect` decides whether the call is executed before an error or garbage is returned; by
    default it is for garbage, and not for error_*. `seconds` is how long timeout_* keep the
    connection open (0: not at all), how long slow waits, and how far delay moves a webhook on the
    sandbox's clock. refuse returns any error type of V2 as `error_type` (PG_PROVIDER with `pg_code`
    and `pg_message`), and on V1 status 200 with `code`; `message` is its text in both.
    """

    fault: GatewayFault | WebhookFault
    match: Match = msgspec.field(default_factory=Match)
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] | None = None
    effect: bool | None = None
    error_type: Annotated[str, msgspec.Meta(pattern="^[A-Z][A-Z_]*$")] = "PG_PROVIDER"
    message: str | None = None
    code: int = 1
    pg_code: str = "SANDBOX_REFUSED"
    pg_message: str = "PG 오류"
    id: str = ""
    hits: int = 0


class Memory(Protocol):
    """Where rules are stored."""

    def get_note(self, name: str) -> bytes | None:
        """The note `name`."""

    def put_note(self, name: str, value: bytes) -> None:
        """Store the note `name`."""

    def next_number(self, name: str) -> int:
        """1, 2, 3 …"""


class Faults:
    """The active rules, oldest first; the first match applies."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.rules = msgspec.json.decode(memory.get_note("faults") or b"[]", type=list[FaultRule])

    def add(self, rule: FaultRule) -> FaultRule:
        """Activate a rule."""
        rule.id = f"fault_{self._memory.next_number('fault')}"
        rule.hits = 0
        self.rules.append(rule)
        self._keep()
        return rule

    def clear(self) -> None:
        """Remove every rule."""
        self.rules.clear()
        self._keep()

    def take_for_call(self, version: str, method: str, path: str) -> FaultRule | None:
        """The rule that applies to this call, counted as a hit."""
        for rule in self.rules:
            wanted = rule.match.method
            if (
                rule.fault not in _WEBHOOK_FAULTS
                and rule.match.fits_version(version)
                and wanted in (None, "*", method)
                and rule.match.fits_path(path)
                and (rule.match.payment_id is None or rule.match.payment_id in path)
            ):
                return self._use(rule)
        return None

    def apply_to_webhook(self, webhook: Webhook, default_delay: float) -> list[Webhook]:
        """The webhooks to send instead of this one; itself if no rule matches."""
        rule = self._rule_for(webhook)
        if rule is None:
            return [webhook]
        self._use(rule)
        webhook.fault = rule.fault
        if rule.fault == "drop":
            webhook.state, webhook.next_at = "dropped", None
        elif rule.fault == "reorder":
            webhook.state, webhook.next_at = "held", None
        elif rule.fault == "delay" and webhook.next_at is not None:
            seconds = default_delay if rule.seconds is None else rule.seconds
            webhook.next_at += timedelta(seconds=seconds)
        elif rule.fault == "duplicate":
            return [webhook, _copy(webhook)]
        elif rule.fault == "forge":
            return [_forged(webhook), webhook]
        return [webhook]

    def _rule_for(self, webhook: Webhook) -> FaultRule | None:
        path = "/" + webhook.url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
        return next(
            (
                rule
                for rule in self.rules
                if rule.fault in _WEBHOOK_FAULTS
                and rule.match.fits_version(webhook.version)
                and rule.match.fits_path(path)
                and rule.match.payment_id in (None, webhook.order_id, webhook.tx_id)
                and _fits_event(rule.match.event, webhook)
            ),
            None,
        )

    def _use(self, rule: FaultRule) -> FaultRule:
        rule.hits += 1
        if rule.times is not None and rule.hits >= rule.times:
            self.rules.remove(rule)
        self._keep()
        return rule

    def _keep(self) -> None:
        self._memory.put_note("faults", msgspec.json.encode(self.rules))


def _fits_event(wanted: str | None, webhook: Webhook) -> bool:
    return wanted is None or wanted == webhook.event or f'"{wanted}"' in webhook.body


def _copy(webhook: Webhook) -> Webhook:
    """A duplicate: the same webhook-id and body, with its own log entry."""
    return msgspec.structs.replace(webhook, id=f"{webhook.id}_again", attempts=[])


def _forged(webhook: Webhook) -> Webhook:
    """A forged message: V1 with an unknown imp_uid, V2 with a wrong signature."""
    body = webhook.body.replace(webhook.tx_id, "imp_000000000000")
    return msgspec.structs.replace(
        webhook,
        id=f"{webhook.id}_forged",
        webhook_id=f"{webhook.webhook_id}_forged",
        body=body if webhook.version == "V1" else webhook.body,
        forged=True,
        max_attempts=1,
        attempts=[],
    )
