"""Ports of the ledger module."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market.shared.pagination import PageRequest

from .domain import Balance, Statement, Transfer


class Transfers(Protocol):
    """An append-only list of transfers."""

    async def add(self, transfer: Transfer) -> None:
        """Raises RuntimeError if this source is recorded already: a bug, never a lost race."""
        ...

    async def statement(
        self,
        account: str,
        currency: str,
        since: datetime | None,
        until: datetime | None,
        wanted: PageRequest,
    ) -> Statement:
        """The transfers in [since, until), None for no bound, read from one snapshot.

        Raises Invalid for a cursor that we did not issue.
        """
        ...

    async def balances(self) -> Sequence[Balance]:
        """The balances of every account that has a transfer, by name."""
        ...
