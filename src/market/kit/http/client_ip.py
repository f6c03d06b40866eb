"""Where a request comes from."""

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"
# What one household or server is given; whoever has one has all of its addresses.
_ONE_HOLDER_V6 = 64


class ClientIpResolver:
    """Tells clients from the proxies before us."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    def rate_limit_key(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        """The client's address, for counting: of IPv6 the network that is one holder's."""
        address = self._address(connection)
        return UNKNOWN if address is None else _holder(address)

    def client_ip(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
        """The client's own address, for who is let in by it; None where nobody can tell."""
        address = self._address(connection)
        return None if address is None else str(address)

    def is_within(
        self, connection: ASGIConnection[Any, Any, Any, Any], networks: Sequence[Network]
    ) -> bool:
        """Whether the client is known to be in one of these networks. A request
        through a proxy that is not trusted could be from anywhere."""
        address = self._address(connection)
        if address is None or not any(address in network for network in networks):
            return False
        proxy = _read((connection.scope.get("client") or ("",))[0])
        through = "x-forwarded-for" in connection.headers or "forwarded" in connection.headers
        return not through or (proxy is not None and self._is_proxy(proxy))

    def _address(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Address | None:
        """Past the proxies that are trusted.

        X-Forwarded-For is anybody's to write. Only what a trusted proxy added is believed: from
        the right, up to the first address that is no such proxy.
        """
        client = connection.scope.get("client")
        address = _read(client[0]) if client else None
        if address is None:
            return None
        said = ",".join(connection.headers.getall("x-forwarded-for", []))
        for hop in reversed(said.split(",")):
            if not self._is_proxy(address):
                break
            before = _read(hop)
            if before is None:
                break
            address = before
        return address

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _read(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _holder(address: Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), _ONE_HOLDER_V6), strict=False))
    return str(address)
