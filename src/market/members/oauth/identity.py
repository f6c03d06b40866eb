"""Identities from sign-in providers, the secrets of a flow, and its errors."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import ClassVar, Self

from market.members.domain import is_email, normal_email
from market.members.nicknames import fitting
from market.shared.errors import Conflict, Forbidden, Invalid, UpstreamUnavailable

NEXT_LENGTH_MAX = 500


class SocialStateInvalid(Invalid):
    code: ClassVar[str] = "social_state_invalid"
    message: ClassVar[str] = (
        "This sign-in began in another browser, timed out or is finished. Begin again."
    )


class SocialDeclined(Forbidden):
    code: ClassVar[str] = "social_declined"
    message: ClassVar[str] = "The sign-in was declined at the provider."


class SocialRefused(Invalid):
    code: ClassVar[str] = "social_refused"
    message: ClassVar[str] = "The provider rejected this sign-in. Begin again."


class ProviderUnavailable(UpstreamUnavailable):
    code: ClassVar[str] = "social_unavailable"
    message: ClassVar[str] = (
        "The provider cannot be reached or sent no valid response. Begin again shortly."
    )


class SocialAccountConflict(Conflict):
    code: ClassVar[str] = "social_account_conflict"
    message: ClassVar[str] = (
        "The member with this email address already signs in with another account of this provider."
    )


class AlreadyLinked(Conflict):
    code: ClassVar[str] = "already_linked"
    message: ClassVar[str] = "Another request linked this account at the same time."


@dataclass(frozen=True, slots=True)
class SocialIdentity:
    """A person as a provider identifies them. `subject` is the provider's permanent id; `email` may
    belong to anyone unless `email_verified`."""

    provider: str
    subject: str
    email: str | None
    email_verified: bool
    nickname: str | None

    @property
    def proven_email(self) -> str | None:
        """The normalized address, if the provider verified it."""
        email = normal_email(self.email or "")
        return email if self.email_verified and is_email(email) else None

    @property
    def shown_name(self) -> str:
        """A valid nickname from the provider's name."""
        return fitting(self.nickname or "")


@dataclass(frozen=True, slots=True)
class FlowSecrets:
    """Secrets that bind a response to its sign-in: `nonce` comes back inside the ID token,
    `verifier` is sent with the code (RFC 7636)."""

    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def local_path(text: str) -> str:
    """A path of this site. Raises Invalid for anything a browser could read as another site: it
    drops tabs and line ends, and treats a backslash as a slash."""
    plain = all("!" <= letter <= "~" and letter != "\\" for letter in text)
    if (
        not text.startswith("/")
        or text.startswith("//")
        or not plain
        or len(text) > NEXT_LENGTH_MAX
    ):
        raise Invalid("next takes a path of this site, as /products.")
    return text
