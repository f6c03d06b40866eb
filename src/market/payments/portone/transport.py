"""How both versions' calls travel, and what it means when one does not arrive."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import structlog

from market.kit.db.database import in_transaction
from market.payments.cancellation import Cancellation
from market.payments.ports import OutcomeUnknown
from market.payments.record import Seen, Snapshot
from market.shared.errors import GatewayUnavailable
from market.shared.money import Money

from .breaker import Breaker, Call

# PortOne advises to wait long: a dropped connection does not stop what the server began. For a
# free connection of our own there is no reason to: with all of them taken, buyers are told soon.
PATIENCE = httpx.Timeout(60.0, connect=5.0, pool=2.0)
# Calls take a fraction of a second, so 20 at once carry far more payments than one process begins;
# and no more than 20 ever wait on a gateway that hangs.
POOL = httpx.Limits(max_connections=20, max_keepalive_connections=20)

# A call that its caller gave up after so long had no answer: it counts for the circuit breaker.
HANGS_AFTER_S = 5.0

_HTTP_TOO_MANY = 429
_HTTP_SERVER_ERROR = 500
_log = structlog.get_logger()


def connections() -> httpx.AsyncClient:
    """A pool for one version: while it hangs, the other's connections are not used up."""
    return httpx.AsyncClient(limits=POOL)


def _never(response: httpx.Response) -> bool:
    return False


class Transport:
    """Sends one request and answers with its response, or with the right kind of trouble.

    `refuses` tells a server error that is a considered no from one that is a breakdown.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        api_url: str,
        breaker: Breaker,
        timeout: httpx.Timeout = PATIENCE,
        refuses: Callable[[httpx.Response], bool] = _never,
    ) -> None:
        self._client = client
        self._api_url = api_url
        self._breaker = breaker
        self._timeout = timeout
        # httpx counts from byte to byte: a gateway that sends one now and then would be awaited
        # without an end.
        self._within_s = sum(each or 0.0 for each in (timeout.pool, timeout.connect, timeout.read))
        self._refuses = refuses

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Raises GatewayUnavailable when the request can't have been carried out, OutcomeUnknown
        when it may have been."""
        if in_transaction():
            # safeguard: no gateway call inside a transaction
            raise RuntimeError("no network call inside a transaction")
        url = self._api_url + path
        with self._breaker.call() as call:
            try:
                with _given_up(call):
                    async with asyncio.timeout(self._within_s):
                        response = await self._client.request(
                            method, url, timeout=self._timeout, **request
                        )
            except httpx.PoolTimeout as cause:
                # It never left. No failure of theirs: a rush of ours must not open the breaker.
                raise GatewayUnavailable from cause
            except (httpx.ConnectError, httpx.ConnectTimeout) as cause:
                call.failed()
                raise GatewayUnavailable from cause  # it never left
            except (httpx.HTTPError, TimeoutError) as cause:
                call.failed()
                raise OutcomeUnknown from cause
            if response.status_code >= _HTTP_SERVER_ERROR and not self._refuses(response):
                call.failed()
            else:
                call.answered()
        if response.status_code == _HTTP_TOO_MANY:
            raise GatewayUnavailable("The payment gateway asks us to slow down.")
        return response


@contextmanager
def _given_up(call: Call) -> Iterator[None]:
    """A call that hung until its caller gave it up has failed."""
    began = time.monotonic()
    try:
        yield
    except asyncio.CancelledError:
        if time.monotonic() - began >= HANGS_AFTER_S:
            call.failed()
        raise


def asked_back(cancellation: Cancellation) -> int:
    """The amount to be sent back, in minor units. Raises ValueError when there is none.

    The domain never asks for nothing; this is the last line before a wire on which V1 takes an
    amount of 0 for "all of it".
    """
    if cancellation.amount <= 0:
        # safeguard: a refund of zero is never sent
        raise ValueError(f"cancellation {cancellation.id} asks for {cancellation.amount}")
    return cancellation.amount


def unreadable(order_id: str, reference: str, why: ValueError) -> Snapshot:
    """A record that makes no sense: of it no more is known than whose it is."""
    return Snapshot(order_id, reference, Seen.UNKNOWN, Money(0), 0, trouble=str(why))
