"""What operators' machines ask for, and what it costs."""

import ipaddress
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest

from market import settings as settings_module
from market.app import Market
from market.kit.http.client_ip import ClientIpResolver
from market.operations import encoded
from market.settings import SettingsError
from tests.support.web import Client, serving


async def status(
    market: Market, address: str, path: str = "/metrics", headers: Mapping[str, str] | None = None
) -> int:
    with serving(market) as app:
        transport = httpx.ASGITransport(app, client=(address, 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:
            return (await http.get(path, headers=headers)).status_code


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.1.2.3", 200),
        ("192.168.0.9", 200),
        ("203.0.113.9", 404),
        ("2001:db8::1", 404),
        ("not an address", 404),
    ],
)
async def test_strangers_get_no_metrics(market: Market, address: str, expected: int) -> None:
    assert await status(market, address) == expected


async def test_metrics_are_not_given_away_by_a_proxy(market: Market) -> None:
    """Before which every request comes from this machine."""
    for header in ("x-forwarded-for", "forwarded"):
        assert await status(market, "127.0.0.1", headers={header: "203.0.113.9"}) == 404
    behind = replace(market, client_ips=ClientIpResolver([ipaddress.ip_network("127.0.0.1")]))
    stranger, insider = {"x-forwarded-for": "203.0.113.9"}, {"x-forwarded-for": "10.0.0.9"}
    assert await status(behind, "127.0.0.1", headers=stranger) == 404
    assert await status(behind, "127.0.0.1", headers=insider) == 200
    forged = {"x-forwarded-for": "10.0.0.9, 203.0.113.9"}
    assert await status(behind, "127.0.0.1", headers=forged) == 404


async def test_the_networks_that_may_read_metrics_are_a_setting(market: Market) -> None:
    env = {"MARKET_SECRET": "x" * 32, "MARKET_METRICS_NETWORKS": "203.0.113.0/24"}
    named = replace(market, metrics_networks=settings_module.from_environment(env).metrics_networks)
    assert await status(named, "203.0.113.9") == 200
    assert await status(named, "127.0.0.1") == 404
    with pytest.raises(SettingsError, match="MARKET_METRICS_NETWORKS"):
        settings_module.from_environment(env | {"MARKET_METRICS_NETWORKS": "everywhere"})


async def test_the_document_is_encoded_once(client: Client, market: Market) -> None:
    answer = await client.http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    with serving(market) as app:
        assert encoded(app) is encoded(app)
        assert answer.content == encoded(app)
