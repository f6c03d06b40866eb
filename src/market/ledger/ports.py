"""What the ledger needs of the outside."""

from typing import Protocol

from .domain import Transfer


class Transfers(Protocol):
    """An append-only list of transfers."""

    async def add(self, transfer: Transfer) -> None:
        """Raises RuntimeError when this source was recorded before: a bug, never a race won."""
        ...
