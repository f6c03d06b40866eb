"""Kakao Login with OpenID Connect: https://developers.kakao.com/docs/latest/kakaologin/rest-api

Three things bind the response to the request: `state`, a nonce inside the signed ID token, and
PKCE. An address is proven if Kakao calls it both valid (not taken over since) and verified.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import httpx
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from msgspec import Struct

from market.shared.clock import Clock

from .client import OAuthApp, fetch
from .identity import FlowSecrets, ProviderUnavailable, SocialIdentity, SocialRefused

# How much their clock and ours may differ (seconds).
LEEWAY_S = 60
_SCOPE = "openid,account_email,profile_nickname"
# The library raises Python's own errors for shapes it does not expect.
_INVALID_TOKEN_ERRORS = (JoseError, ValueError, TypeError, AttributeError, LookupError)
_log = structlog.get_logger()


class _Token(Struct):
    access_token: str
    id_token: str | None = None


class _Profile(Struct):
    nickname: str | None = None


class _Account(Struct):
    email: str | None = None
    is_email_valid: bool = False
    is_email_verified: bool = False
    profile: _Profile | None = None


class _User(Struct):
    id: int
    kakao_account: _Account | None = None


class _Keys(Struct):
    keys: list[dict[str, Any]]


class Kakao:
    """Sign-in with Kakao."""

    name = "kakao"

    def __init__(self, app: OAuthApp, client: httpx.AsyncClient, clock: Clock) -> None:
        self._app = app
        self._client = client
        self._clock = clock
        self._keys: Sequence[RSAKey] = ()

    def authorize_url(self, redirect_uri: str, state: str, flow_secrets: FlowSecrets) -> str:
        query = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": _SCOPE,
            "nonce": flow_secrets.nonce,
            "code_challenge": flow_secrets.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._app.auth_url}/oauth/authorize?{urlencode(query)}"

    async def identify(
        self, code: str, redirect_uri: str, flow_secrets: FlowSecrets
    ) -> SocialIdentity:
        """Raises SocialRefused, ProviderUnavailable."""
        token = await self._token(code, redirect_uri, flow_secrets)
        subject = await self._subject(token.id_token, flow_secrets.nonce)
        person = await self._user(token.access_token)
        if str(person.id) != subject:
            _log.warning("social_refused", provider=self.name, error="two persons")
            raise SocialRefused
        account = person.kakao_account or _Account()
        return SocialIdentity(
            self.name,
            subject,
            account.email,
            email_verified=account.is_email_valid and account.is_email_verified,
            nickname=account.profile.nickname if account.profile else None,
        )

    async def _token(self, code: str, redirect_uri: str, flow_secrets: FlowSecrets) -> _Token:
        form = {
            "grant_type": "authorization_code",
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "redirect_uri": redirect_uri,
            "code": code,
            "code_verifier": flow_secrets.verifier,
        }
        url = f"{self._app.auth_url}/oauth/token"
        return await fetch(self._client, self._client.build_request("POST", url, data=form), _Token)

    async def _user(self, access_token: str) -> _User:
        headers = {"Authorization": f"Bearer {access_token}"}
        url = f"{self._app.api_url}/v2/user/me"
        request = self._client.build_request("GET", url, headers=headers)
        return await fetch(self._client, request, _User)

    async def _subject(self, id_token: str | None, nonce: str) -> str:
        """The subject of an ID token that Kakao issued for us, for this sign-in, and recently."""
        if id_token is None:
            _log.error("social_misconfigured", provider=self.name, lacks="OpenID Connect")
            raise ProviderUnavailable
        try:
            key = await self._key(jws.extract_compact(id_token.encode()).headers().get("kid"))
            read = jwt.decode(id_token, key, algorithms=["RS256"])
            self._expected(nonce).validate(read.claims)
        except _INVALID_TOKEN_ERRORS as cause:
            _log.warning("social_refused", provider=self.name, error=type(cause).__name__)
            raise SocialRefused from cause
        return str(read.claims["sub"])

    def _expected(self, nonce: str) -> jwt.JWTClaimsRegistry:
        """The claims that an ID token must have."""
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self._app.auth_url},
            aud={"essential": True, "value": self._app.client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            iat={"essential": True},
            exp={"essential": True},
        )

    async def _key(self, id: object) -> RSAKey:
        """Kakao's key with this id; fetches the key set if it is unknown. Raises ValueError."""
        if all(key.kid != id for key in self._keys):
            url = f"{self._app.auth_url}/.well-known/jwks.json"
            told = await fetch(self._client, self._client.build_request("GET", url), _Keys)
            self._keys = [key for shown in told.keys if (key := _read(shown))]
        (key,) = [key for key in self._keys if key.kid == id][:1]
        return key


def _read(shown: dict[str, Any]) -> RSAKey | None:
    """None if it is not an RSA key: others of the set may be valid."""
    try:
        return RSAKey.import_key(shown)
    except _INVALID_TOKEN_ERRORS as trouble:
        _log.warning("social_key_unreadable", provider=Kakao.name, error=type(trouble).__name__)
        return None
