"""What operators do about incidents."""

from collections.abc import AsyncIterator

from market.shared.audit import Audit
from market.shared.clock import Clock
from market.shared.transactions import Transactions

from .incident import Incident
from .ports import Incidents

AT_ONCE = 200


class OperatorDesk:
    """Shows incidents and closes them."""

    def __init__(
        self, transactions: Transactions, incidents: Incidents, audit: Audit, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._incidents = incidents
        self._audit = audit
        self._clock = clock

    async def incidents(self, *, settled_too: bool = False) -> AsyncIterator[Incident]:
        """Open ones, or all, the oldest first."""
        after = 0
        while True:
            found = await self._incidents.list(after, AT_ONCE, settled_too=settled_too)
            for incident in found:
                yield incident
            if len(found) < AT_ONCE:
                return
            after = found[-1].id

    async def settle(self, id: int, by: str, how: str) -> Incident:
        """Closes one for good. Raises NotFound, Invalid, AlreadySettled."""
        async with self._transactions.transaction():
            # Locked: of two operators at once, the second is told that it is settled.
            incident = await self._incidents.get_for_update(id)
            incident.settle(by, how, self._clock.now())
            await self._incidents.save(incident)
            await self._audit.record(by, "settle", f"incident {id}", how)
        return incident
