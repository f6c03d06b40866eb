"""Whom we deal with outside: PortOne and the social providers, as the settings name them."""

import httpx

from market.members.oauth import client as oauth_client
from market.members.oauth.kakao import Kakao
from market.members.oauth.naver import Naver
from market.payments.portone import companies
from market.payments.portone.companies import Company
from market.payments.portone.signature import SourceAddresses, WebhookSeal
from market.payments.portone.v1 import PortOneV1, V1Account
from market.payments.portone.v2 import PortOneV2, V2Account
from market.payments.ports import Gateways, Seal, Sources
from market.settings import Settings, SettingsError, SocialSettings
from market.shared.clock import Clock


def portone(
    settings: Settings, to_v1: httpx.AsyncClient, to_v2: httpx.AsyncClient, clock: Clock
) -> Gateways:
    """Both versions, whichever is configured: a payment stays on the one it began on."""
    v1 = PortOneV1(v1_account(settings), to_v1, clock)
    v2 = PortOneV2(v2_account(settings), to_v2, clock)
    return Gateways(v1, v2) if settings.portone_version == "V1" else Gateways(v2, v1)


def social_providers(
    settings: Settings, client: httpx.AsyncClient, clock: Clock
) -> list[Kakao | Naver]:
    """Those that are configured."""
    providers: list[Kakao | Naver] = []
    if settings.kakao:
        providers.append(Kakao(_app(settings.kakao), client, clock))
    if settings.naver:
        providers.append(Naver(_app(settings.naver), client))
    return providers


def _app(who: SocialSettings) -> oauth_client.OAuthApp:
    return oauth_client.OAuthApp(who.client_id, who.client_secret, who.auth_url, who.api_url)


def webhook_seal(settings: Settings) -> Seal:
    """Raises SettingsError."""
    try:
        return WebhookSeal.of(*settings.portone_v2.webhook_secrets)
    except ValueError as cause:
        raise SettingsError(f"PORTONE_V2_WEBHOOK_SECRET: {cause}.") from cause


def webhook_sources(settings: Settings) -> Sources:
    """Raises SettingsError."""
    try:
        return SourceAddresses.of(*settings.portone_v1.webhook_addresses)
    except ValueError as cause:
        raise SettingsError(f"PORTONE_V1_WEBHOOK_ADDRESSES: {cause}.") from cause


def v1_account(settings: Settings) -> V1Account:
    """Raises SettingsError."""
    v1 = settings.portone_v1
    return V1Account(
        api_url=v1.api_url,
        key=v1.key,
        secret=v1.secret,
        code=v1.code,
        channel_key=v1.channel_key,
        sdk_url=v1.sdk_url,
        test=settings.portone_test,
        notice_url=f"{settings.public_url}/webhooks/portone/v1",
        company=_company("PORTONE_V1_COMPANY", v1.company),
        pg_api_key=v1.pg_api_key,
    )


def v2_account(settings: Settings) -> V2Account:
    """Raises SettingsError."""
    v2 = settings.portone_v2
    return V2Account(
        api_url=v2.api_url,
        secret=v2.secret,
        store_id=v2.store_id,
        channel_key=v2.channel_key,
        sdk_url=v2.sdk_url,
        test=settings.portone_test,
        notice_url=f"{settings.public_url}/webhooks/portone/v2",
        company=_company("PORTONE_V2_COMPANY", v2.company),
    )


def _company(variable: str, name: str | None) -> Company:
    try:
        return companies.named(name)
    except KeyError as cause:
        known = ", ".join(companies.COMPANIES)
        raise SettingsError(f"{variable} must be one of {known}.") from cause
