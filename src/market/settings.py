"""Settings, from environment variables alone. docs/operations.md lists them all."""

import contextlib
import ipaddress
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from market.kit.http.client_ip import Network

MOST_WEBHOOK_SECRETS = 2
# Keys are made of a secret by one hash: what can be guessed could be tried out on any token.
SHORTEST_SECRET = 32
# This machine's, and those that are not routed on the Internet.
PRIVATE_NETWORKS = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7"
_TRIAL_API = "http://127.0.0.1:{port}/v1"
_TRIAL_SDK = "http://127.0.0.1:{port}/sdk/v1.js"


class SettingsError(Exception):
    """A setting is missing or makes no sense; the message names the variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOneV1Settings:
    """Who we are at PortOne V1. Without any, the sandbox on this machine is meant. `company` is the
    payment company behind the channel, `pg_api_key` KG Inicis's own key."""

    api_url: str
    key: str
    secret: str
    code: str
    channel_key: str
    sdk_url: str
    webhook_addresses: tuple[str, ...]
    company: str | None
    pg_api_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOneV2Settings:
    """Who we are at PortOne V2. Without any, the sandbox on this machine is meant. `company` is the
    payment company behind the channel."""

    api_url: str
    secret: str
    store_id: str
    channel_key: str
    webhook_secrets: tuple[str, ...]
    sdk_url: str
    company: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocialSettings:
    """Who we are at a social provider, and where it is."""

    client_id: str
    client_secret: str
    auth_url: str
    api_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can differ from one installation to the next."""

    host: str
    port: int
    sandbox_port: int
    workers: int
    data: Path
    database_url: str | None
    pool_size: int
    stop_within: timedelta
    tracing: bool
    secret: str
    public_url: str
    portone_version: Literal["V1", "V2"]
    portone_test: bool
    portone_v1: PortOneV1Settings
    portone_v2: PortOneV2Settings
    hold: timedelta
    deposit: timedelta
    vault_keys: tuple[str, ...]
    fee_bps: int
    refunds_per_payment: int
    access_life: timedelta
    refresh_life: timedelta
    rate_limits: bool
    trusted_proxies: tuple[Network, ...]
    metrics_networks: tuple[Network, ...]
    kakao: SocialSettings | None
    naver: SocialSettings | None

    @property
    def postgres_directory(self) -> Path:
        return self.data / "postgres"

    @property
    def sandbox_state(self) -> Path:
        return self.data / "sandbox.sqlite"


def from_environment(env: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError."""
    port = _whole(env, "MARKET_PORT", 8000, 1, 65_535)
    sandbox_port = _whole(env, "SANDBOX_PORT", 8100, 1, 65_535)
    data = Path(env.get("MARKET_DATA") or "var").resolve()
    given = env.get("MARKET_SECRET")
    secret = _long("MARKET_SECRET", given) if given else _kept_secret(data / "secret")
    vault_keys = _words(env, "MARKET_VAULT_KEYS")
    # The first one seals. The others only open what was sealed when they might be shorter.
    for key in vault_keys[:1]:
        _long("MARKET_VAULT_KEYS", key)
    return Settings(
        host=env.get("MARKET_HOST") or "127.0.0.1",
        port=port,
        sandbox_port=sandbox_port,
        workers=_whole(env, "MARKET_WORKERS", 1, 1, 64),
        data=data,
        database_url=env.get("DATABASE_URL") or None,
        pool_size=_whole(env, "MARKET_POOL_SIZE", 10, 1, 500),
        tracing=_tracing(env),
        stop_within=timedelta(seconds=_whole(env, "MARKET_STOP_SECONDS", 75, 1, 600)),
        secret=secret,
        public_url=(env.get("MARKET_PUBLIC_URL") or f"http://127.0.0.1:{port}").rstrip("/"),
        portone_version=_version(env),
        portone_test=_test_channel(env),
        portone_v1=_portone_v1(env, sandbox_port),
        portone_v2=_portone_v2(env, sandbox_port),
        hold=timedelta(seconds=_whole(env, "MARKET_HOLD_SECONDS", 600, 1, 86_400)),
        deposit=timedelta(hours=_whole(env, "MARKET_DEPOSIT_HOURS", 24, 1, 720)),
        vault_keys=vault_keys or (secret,),
        fee_bps=_whole(env, "MARKET_FEE_BPS", 350, 0, 10_000),
        refunds_per_payment=_whole(env, "MARKET_REFUNDS_PER_PAYMENT", 5, 1, 1_000),
        access_life=timedelta(seconds=_whole(env, "MARKET_ACCESS_SECONDS", 600, 1, 86_400)),
        refresh_life=timedelta(days=_whole(env, "MARKET_REFRESH_DAYS", 14, 1, 365)),
        rate_limits=_on_or_off(env, "MARKET_RATE_LIMITS"),
        trusted_proxies=_networks(env, "MARKET_TRUSTED_PROXIES"),
        metrics_networks=_networks(env, "MARKET_METRICS_NETWORKS", PRIVATE_NETWORKS),
        kakao=_social(env, "KAKAO", "https://kauth.kakao.com", "https://kapi.kakao.com"),
        naver=_social(env, "NAVER", "https://nid.naver.com", "https://openapi.naver.com"),
    )


def _version(env: Mapping[str, str]) -> Literal["V1", "V2"]:
    match env.get("PORTONE_VERSION") or "V1":
        case "V1":
            return "V1"
        case "V2":
            return "V2"
    raise SettingsError("PORTONE_VERSION must be V1 or V2.")


def _tracing(env: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables name a collector, and don't switch it off."""
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    off = env.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return any(env.get(name) for name in names) and not off


def _test_channel(env: Mapping[str, str]) -> bool:
    """Whether payments must come through test channels. Forgotten by somebody who goes live, every
    payment is sent back with an incident; the other way round, play money would buy goods."""
    channel = env.get("PORTONE_CHANNEL") or "TEST"
    if channel not in {"TEST", "LIVE"}:
        raise SettingsError("PORTONE_CHANNEL must be TEST or LIVE.")
    return channel == "TEST"


def _portone_v1(env: Mapping[str, str], sandbox_port: int) -> PortOneV1Settings:
    url = env.get("PORTONE_V1_API_URL") or _TRIAL_API.format(port=sandbox_port)

    def get(name: str, trial: str) -> str:
        variable = f"PORTONE_V1_{name}"
        if urlsplit(url).scheme == "https" and not env.get(variable):
            raise SettingsError(f"{variable} is needed where PORTONE_V1_API_URL is a real one.")
        return env.get(variable) or trial

    return PortOneV1Settings(
        api_url=url.rstrip("/"),
        key=get("KEY", "imp_apikey_sandbox"),
        secret=get("SECRET", "sandbox-v1-secret-not-real"),
        code=get("CODE", "imp00000000"),
        channel_key=get("CHANNEL_KEY", "channel-key-sandbox-v1-test"),
        sdk_url=get("SDK_URL", _TRIAL_SDK.format(port=sandbox_port)),
        webhook_addresses=_words(env, "PORTONE_V1_WEBHOOK_ADDRESSES"),
        company=env.get("PORTONE_V1_COMPANY") or None,
        pg_api_key=env.get("PORTONE_V1_PG_API_KEY") or None,
    )


def _portone_v2(env: Mapping[str, str], sandbox_port: int) -> PortOneV2Settings:
    real = bool(env.get("PORTONE_V2_API_URL"))

    def get(name: str, trial: str) -> str:
        variable = f"PORTONE_V2_{name}"
        # The sandbox's keys are public: beside a real gateway, anybody could sign its webhooks.
        if real and not env.get(variable):
            raise SettingsError(f"{variable} is needed where PORTONE_V2_API_URL is given.")
        return env.get(variable) or trial

    return PortOneV2Settings(
        api_url=get("API_URL", f"http://127.0.0.1:{sandbox_port}/v2").rstrip("/"),
        secret=get("SECRET", "sandbox-v2-api-secret-not-real"),
        store_id=get("STORE_ID", "store-sandbox-0000"),
        channel_key=get("CHANNEL_KEY", "channel-key-sandbox-v2-test"),
        webhook_secrets=_webhook_secrets(
            get("WEBHOOK_SECRET", "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC1ub3QtcmVhbCE=")
        ),
        sdk_url=get("SDK_URL", f"http://127.0.0.1:{sandbox_port}/sdk/v2.js"),
        company=env.get("PORTONE_V2_COMPANY") or None,
    )


def _webhook_secrets(text: str) -> tuple[str, ...]:
    """One, or two with a comma between them while the console changes from one to the next."""
    secrets_ = tuple(part for part in (part.strip() for part in text.split(",")) if part)
    if not 1 <= len(secrets_) <= MOST_WEBHOOK_SECRETS:
        raise SettingsError("PORTONE_V2_WEBHOOK_SECRET is one secret, or two with a comma between.")
    return secrets_


def _kept_secret(path: Path) -> str:
    """A secret made once and kept with the data, so that tokens outlive a restart."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # for its owner's eyes only
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        # Appears whole or not at all; of two that start at once, the first one's stands.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return _long(str(path), path.read_text("ascii"))


def _social(
    env: Mapping[str, str], prefix: str, auth_url: str, api_url: str
) -> SocialSettings | None:
    """None without a client id: whoever plays a provider says who anybody is, so none is ever
    taken for granted, not even the sandbox's."""
    client_id = env.get(f"{prefix}_CLIENT_ID")
    if not client_id:
        return None
    secret = env.get(f"{prefix}_CLIENT_SECRET")
    if not secret:
        raise SettingsError(f"{prefix}_CLIENT_SECRET is needed beside {prefix}_CLIENT_ID.")
    return SocialSettings(
        client_id=client_id,
        client_secret=secret,
        auth_url=_safe_url(env, f"{prefix}_AUTH_URL", auth_url),
        api_url=_safe_url(env, f"{prefix}_API_URL", api_url),
    )


def _safe_url(env: Mapping[str, str], name: str, default: str) -> str:
    """HTTPS, or this machine itself."""
    url = (env.get(name) or default).rstrip("/")
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not local and (parts.scheme != "https" or not parts.hostname):
        raise SettingsError(f"{name} must be an https:// address.")
    return url


def _on_or_off(env: Mapping[str, str], name: str) -> bool:
    word = env.get(name) or "on"
    if word not in {"on", "off"}:
        raise SettingsError(f"{name} must be on or off.")
    return word == "on"


def _networks(env: Mapping[str, str], name: str, usual: str = "") -> tuple[Network, ...]:
    try:
        words = _words({name: env.get(name) or usual}, name)
        return tuple(ipaddress.ip_network(word.strip()) for word in words)
    except ValueError as cause:
        raise SettingsError(
            f"{name} takes addresses or networks with commas between: {cause}."
        ) from cause


def _long(name: str, secret: str) -> str:
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(f"{name} must have at least {SHORTEST_SECRET} characters.")
    return secret


def _words(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for word in env.get(name, "").split(",") if word)


def _whole(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number, not {text!r}.") from None
    if not least <= value <= most:
        raise SettingsError(f"{name} must be from {least} to {most}.")
    return value
