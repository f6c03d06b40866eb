"""Naver Login: https://developers.naver.com/docs/login/api/api.md

Naver has neither PKCE nor a nonce: `state` alone binds the response to the request, and a code is
useless without our secret. Naver returns an e-mail address that its user may have entered freely,
so it never counts as proven.
"""

from urllib.parse import urlencode

import httpx
import structlog
from msgspec import Struct

from .client import OAuthApp, fetch
from .identity import FlowSecrets, ProviderUnavailable, SocialIdentity, SocialRefused

_log = structlog.get_logger()


class _Token(Struct):
    """Refusals also have status 200."""

    access_token: str = ""
    error: str = ""


class _User(Struct):
    id: str
    email: str | None = None
    nickname: str | None = None
    name: str | None = None


class _Profile(Struct):
    resultcode: str
    response: _User | None = None


class Naver:
    """Sign-in with Naver."""

    name = "naver"

    def __init__(self, app: OAuthApp, client: httpx.AsyncClient) -> None:
        self._app = app
        self._client = client

    def authorize_url(self, redirect_uri: str, state: str, flow_secrets: FlowSecrets) -> str:
        query = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._app.auth_url}/oauth2.0/authorize?{urlencode(query)}"

    async def identify(
        self, code: str, redirect_uri: str, flow_secrets: FlowSecrets
    ) -> SocialIdentity:
        """Raises SocialRefused, ProviderUnavailable."""
        person = await self._user(await self._token(code))
        nickname = person.nickname or person.name
        return SocialIdentity(
            self.name, person.id, person.email, email_verified=False, nickname=nickname
        )

    async def _token(self, code: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "code": code,
        }
        url = f"{self._app.auth_url}/oauth2.0/token"
        token = await fetch(
            self._client, self._client.build_request("POST", url, data=form), _Token
        )
        if token.error:
            _log.warning("social_refused", provider=self.name, error=token.error[:40])
            raise SocialRefused
        if not token.access_token:
            raise ProviderUnavailable
        return token.access_token

    async def _user(self, access_token: str) -> _User:
        headers = {"Authorization": f"Bearer {access_token}"}
        url = f"{self._app.api_url}/v1/nid/me"
        request = self._client.build_request("GET", url, headers=headers)
        profile = await fetch(self._client, request, _Profile)
        if profile.resultcode != "00" or profile.response is None or not profile.response.id:
            raise ProviderUnavailable
        return profile.response
