"""How both versions' calls travel, and what it means when one does not arrive."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import httpx
import structlog

from market.kit.db import in_transaction
from market.payments.domain import Cancellation
from market.payments.ports import OutcomeUnknown
from market.payments.record import Snapshot
from market.shared.errors import GatewayTrouble

# PortOne advises to wait long: a dropped connection does not stop what the server began.
PATIENCE = httpx.Timeout(60.0, connect=5.0)

_HTTP_TOO_MANY = 429
_log = structlog.get_logger()


class Transport:
    """Sends one request and answers with its response, or with the right kind of trouble."""

    def __init__(
        self, client: httpx.AsyncClient, api_url: str, timeout: httpx.Timeout = PATIENCE
    ) -> None:
        self._client = client
        self._api_url = api_url
        self._timeout = timeout

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Raises GatewayTrouble when the request can't have been carried out, OutcomeUnknown when
        it may have been."""
        if in_transaction():
            raise RuntimeError("no network call inside a transaction")
        url = self._api_url + path
        try:
            response = await self._client.request(method, url, timeout=self._timeout, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise GatewayTrouble from cause  # it never left
        except httpx.HTTPError as cause:
            raise OutcomeUnknown from cause
        if response.status_code == _HTTP_TOO_MANY:
            raise GatewayTrouble("The payment gateway asks us to slow down.")
        return response


def asked_back(cancellation: Cancellation) -> int:
    """The amount to be sent back, in minor units. Raises ValueError when there is none.

    The domain never asks for nothing; this is the last line before a wire on which V1 takes an
    amount of 0 for "all of it".
    """
    if cancellation.amount <= 0:
        raise ValueError(f"cancellation {cancellation.id} asks for {cancellation.amount}")
    return cancellation.amount


class Record(Protocol):
    """A payment as either version shows it."""

    def snapshot(self) -> Snapshot:
        """Raises ValueError for what makes no sense."""
        ...


def readable(records: Iterable[Record]) -> Iterator[Snapshot]:
    """Those of a list that make sense: one that does not must not hide all others."""
    for record in records:
        try:
            snapshot = record.snapshot()
        except ValueError as trouble:
            _log.warning("record_unreadable", trouble=str(trouble))
        else:
            yield snapshot
