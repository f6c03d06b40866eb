"""What operators do beside sending money back: settle incidents, and have the gateway asked."""

from collections.abc import AsyncIterator

from market.shared.audit import Audit
from market.shared.clock import Clock
from market.shared.ids import MemberId, PaymentId, TradeId
from market.shared.principals import Party
from market.shared.transactions import Transactions

from .domain import Payment
from .history import Door
from .incident import Incident, OwnTrade
from .ports import Incidents, Purchases
from .service import PaymentService

AT_ONCE = 200


class OperatorDesk:
    """Shows incidents and closes them; looks at a payment at once."""

    def __init__(
        self,
        transactions: Transactions,
        incidents: Incidents,
        audit: Audit,
        purchases: Purchases,
        looking: PaymentService,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._incidents = incidents
        self._audit = audit
        self._purchases = purchases
        self._looking = looking
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

    async def look(self, id: PaymentId, by: MemberId) -> Payment:
        """Asks the gateway now, rather than when it is time. Raises NotFound, OwnTrade,
        GatewayUnavailable."""
        await self.check_not_own((await self._looking.see(id, by, operator=True)).trade_id, by)
        await self._audit.record(by, "look", f"payment {id}", "not to wait for the next look")
        return await self._looking.synchronize(id, door=Door.OPERATOR)

    async def settle(self, id: int, by: str, how: str) -> Incident:
        """Closes one for good. Raises NotFound, OwnTrade, Invalid, AlreadySettled."""
        async with self._transactions.transaction():
            # Locked: of two operators at once, the second is told that it is settled.
            incident = await self._incidents.get_for_update(id)
            if incident.trade_id is not None:
                await self.check_not_own(incident.trade_id, by)
            incident.settle(by, how, self._clock.now())
            await self._incidents.save(incident)
            await self._audit.record(by, "settle", f"incident {id}", how)
        return incident

    async def check_not_own(self, id: TradeId, by: str) -> None:
        """Nobody decides as an operator what is about a trade of their own. Raises OwnTrade."""
        # Somebody at a shell, by the name they gave, is on no side of any trade.
        party = await self._purchases.party(id, MemberId(by), operator=True)
        if party is not Party.OPERATOR:  # safeguard: no operator decides about a trade of their own
            raise OwnTrade(trade_id=id)
