"""Settings are right, or say which variable is not."""

from pathlib import Path

import pytest

from market.payments.portone.signature import WebhookSeal
from market.settings import SettingsError, from_environment
from portone_sandbox.core.settings import V1Credentials, V2Credentials

REAL_V2 = {
    "PORTONE_V2_API_URL": "https://api.portone.io/",
    "PORTONE_V2_SECRET": "secret",
    "PORTONE_V2_STORE_ID": "store",
    "PORTONE_V2_CHANNEL_KEY": "channel",
    "PORTONE_V2_WEBHOOK_SECRET": "whsec_b25l, whsec_dHdv",
    "PORTONE_V2_SDK_URL": "https://cdn.portone.io/v2/browser-sdk.js",
}


@pytest.fixture
def trial(tmp_path: Path) -> dict[str, str]:
    return {"MARKET_DATA": str(tmp_path)}


def test_without_any_the_sandbox_s_own_keys_are_used(trial: dict[str, str]) -> None:
    settings = from_environment(trial | {"SANDBOX_PORT": "8123"})
    v1, v2 = settings.portone_v1, settings.portone_v2
    theirs_v1, theirs_v2 = V1Credentials(), V2Credentials()
    assert (settings.portone_version, settings.portone_test) == ("V1", True)
    assert (v1.key, v1.secret, v1.code, v1.channel_key) == (
        theirs_v1.imp_key,
        theirs_v1.imp_secret,
        theirs_v1.imp_code,
        theirs_v1.channel_key,
    )
    assert (v2.secret, v2.store_id, v2.channel_key, v2.webhook_secrets) == (
        theirs_v2.api_secret,
        theirs_v2.store_id,
        theirs_v2.channel_key,
        (theirs_v2.webhook_secret,),
    )
    assert (v1.api_url, v2.api_url) == ("http://127.0.0.1:8123/v1", "http://127.0.0.1:8123/v2")


def test_a_real_v2_has_keys_of_its_own(trial: dict[str, str]) -> None:
    v2 = from_environment(trial | REAL_V2).portone_v2
    assert (v2.api_url, v2.webhook_secrets) == (
        "https://api.portone.io",
        ("whsec_b25l", "whsec_dHdv"),
    )
    assert len(WebhookSeal.of(*v2.webhook_secrets).keys) == 2


@pytest.mark.parametrize("missing", sorted(REAL_V2.keys() - {"PORTONE_V2_API_URL"}))
def test_public_keys_are_never_used_beside_a_real_gateway(
    trial: dict[str, str], missing: str
) -> None:
    given = {name: value for name, value in REAL_V2.items() if name != missing}
    with pytest.raises(SettingsError, match=missing):
        from_environment(trial | given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTONE_VERSION", "V3"),
        ("PORTONE_VERSION", "v2"),
        ("PORTONE_CHANNEL", "live"),
        ("PORTONE_V2_WEBHOOK_SECRET", "a,b,c"),
        ("PORTONE_V2_WEBHOOK_SECRET", " , "),
        ("MARKET_SECRET", "x" * 31),
        ("MARKET_VAULT_KEYS", f"{'x' * 31},{'y' * 32}"),
        ("MARKET_RATE_LIMITS", "yes"),
        ("MARKET_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("MARKET_TRUSTED_PROXIES", "proxy.example.com"),
    ],
)
def test_what_makes_no_sense_is_named(trial: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        from_environment(trial | {name: value})


@pytest.mark.parametrize("missing", ["KEY", "SECRET", "CODE", "CHANNEL_KEY", "SDK_URL"])
def test_a_real_v1_has_keys_of_its_own(trial: dict[str, str], missing: str) -> None:
    names = {"KEY", "SECRET", "CODE", "CHANNEL_KEY", "SDK_URL"}
    real = trial | {"PORTONE_V1_API_URL": "HTTPS://api.iamport.kr"}
    given = real | {f"PORTONE_V1_{name}": "ours" for name in names}
    assert from_environment(given).portone_v1.key == "ours"
    del given[f"PORTONE_V1_{missing}"]
    with pytest.raises(SettingsError, match=f"PORTONE_V1_{missing}"):
        from_environment(given)


@pytest.mark.parametrize(("channel", "test"), [("TEST", True), ("LIVE", False), ("", True)])
def test_the_kind_of_channel_is_said_aloud(trial: dict[str, str], channel: str, test: bool) -> None:
    settings = from_environment(trial | {"PORTONE_CHANNEL": channel, "PORTONE_VERSION": "V2"})
    assert (settings.portone_test, settings.portone_version) == (test, "V2")


def test_rate_limits_are_on_and_no_proxy_is_trusted_unless_said(trial: dict[str, str]) -> None:
    settings = from_environment(trial)
    assert (settings.rate_limits, settings.trusted_proxies) == (True, ())
    said = {"MARKET_RATE_LIMITS": "off", "MARKET_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}
    settings = from_environment(trial | said)
    assert not settings.rate_limits
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


def test_nobody_is_taken_for_a_social_provider_unless_said(trial: dict[str, str]) -> None:
    settings = from_environment(trial)
    assert (settings.kakao, settings.naver) == (None, None)
    said = {"KAKAO_CLIENT_ID": "id", "KAKAO_CLIENT_SECRET": "secret"}
    kakao = from_environment(trial | said).kakao
    assert kakao is not None
    assert (kakao.auth_url, kakao.api_url) == ("https://kauth.kakao.com", "https://kapi.kakao.com")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NAVER_CLIENT_SECRET", ""),
        ("NAVER_AUTH_URL", "http://nid.naver.com"),
        ("NAVER_API_URL", "http://127.0.0.1.evil.example"),
        ("NAVER_API_URL", "ftp://127.0.0.1"),
        ("NAVER_API_URL", "https://"),
    ],
)
def test_a_provider_is_asked_over_https_and_with_a_secret(
    trial: dict[str, str], name: str, value: str
) -> None:
    app = {"NAVER_CLIENT_ID": "id", "NAVER_CLIENT_SECRET": "secret"}
    with pytest.raises(SettingsError, match=name):
        from_environment(trial | app | {name: value})
    local = {"NAVER_AUTH_URL": "http://127.0.0.1:8100/oauth/naver/"}
    naver = from_environment(trial | app | local).naver
    assert naver is not None
    assert naver.auth_url == "http://127.0.0.1:8100/oauth/naver"
