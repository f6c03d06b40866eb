"""Whose webhooks they are: V2's by signature, as Standard Webhooks defines it, V1's by source.

Our own, though the `standardwebhooks` package is maintained: it (1.1.0) tells the time by the
machine's clock instead of ours, takes one secret, and answers a malformed signature or a body that
is not UTF-8 with whatever exception comes up, where a forger must get one refusal. This one and
the official SDK's verifier decide alike: a test holds them side by side.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import ClassVar, Self

from market.shared.errors import Unauthenticated

# Old enough for a slow network and clocks that differ, too young to be recorded and sent again.
TOLERANCE = timedelta(minutes=5)
MOST_SECRETS = 2

_PREFIX = "whsec_"
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class SignatureRefused(Unauthenticated):
    code: ClassVar[str] = "webhook_signature_refused"
    message: ClassVar[str] = "This webhook does not bear the payment gateway's signature."


@dataclass(frozen=True, slots=True)
class SourceAddresses:
    """The networks V1's webhooks come from; none given, they may come from anywhere.

    PortOne has changed its addresses before, so what is turned away here must be found by the
    sweep, as it is: a webhook only ever hints.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, *texts: str) -> Self:
        """Raises ValueError for what is no address or network."""
        return cls(tuple(ip_network(text) for text in texts))

    def admit(self, address: str | None) -> None:
        """Raises Unauthenticated."""
        if not self.networks:
            return
        if address is None or not any(ip_address(address) in net for net in self.networks):
            raise Unauthenticated("This webhook does not come from PortOne.")


@dataclass(frozen=True, slots=True)
class WebhookSeal:
    """Knows the gateway's signature. PortOne has up to two secrets in force while one is replaced
    by the next, so either will do."""

    keys: tuple[bytes, ...]

    @classmethod
    def of(cls, *secrets: str) -> Self:
        """From the console's texts, with or without `whsec_`. Raises ValueError for none, more
        than two, or what is no base64: with an empty key anybody could sign."""
        if not 1 <= len(secrets) <= MOST_SECRETS:
            raise ValueError("one or two webhook secrets, not none and no more")
        return cls(tuple(_key(secret) for secret in secrets))

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The webhook's id, when `body` comes from the gateway and was sent just now.

        `body` is what was received, to the byte: parsed and written again it would differ.
        Raises SignatureRefused.
        """
        given = {name.lower(): value for name, value in headers.items()}
        id, sent_at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
        signatures = given.get("webhook-signature", "")
        # safeguard: webhook age checked
        if not id or not id.isascii() or not _is_recent(sent_at, now):
            raise SignatureRefused
        signed = f"{id}.{sent_at}.".encode() + body
        expected = [_signature(key, signed) for key in self.keys]
        # Every pair is compared, each in constant time: how long it takes tells nothing.
        # safeguard: webhook signature compared
        matches = [
            hmac.compare_digest(one, other.encode("utf-8", "replace"))
            for one in expected
            for other in signatures.split(" ")
        ]
        if not any(matches):
            raise SignatureRefused
        return id


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as cause:
        raise ValueError("a webhook secret is base64, after an optional whsec_") from cause
    if not key:
        raise ValueError("a webhook secret may not be empty")
    return key


def _is_recent(sent_at: str, now: datetime) -> bool:
    if not _UNIX_SECONDS.fullmatch(sent_at):
        return False
    return abs(int(sent_at) - now.timestamp()) <= TOLERANCE.total_seconds()


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
