"""What the ledger needs of the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from market.shared.pagination import PageRequest

from .domain import Balance, Statement, Transfer


class Transfers(Protocol):
    """An append-only list of transfers."""

    async def add(self, transfer: Transfer) -> None:
        """Raises RuntimeError when this source was recorded before: a bug, never a race won."""
        ...

    async def statement(
        self,
        account: str,
        currency: str,
        since: datetime | None,
        until: datetime | None,
        wanted: PageRequest,
    ) -> Statement:
        """What happened in [since, until), None for without end; all of it from one snapshot.

        Raises Invalid for a cursor that is none of ours.
        """
        ...

    async def balances(self) -> Sequence[Balance]:
        """Of every account that ever had a transfer, by name."""
        ...
