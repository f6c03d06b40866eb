"""The books beside the gateway's own list, both ways (P9, P10).

A payment is looked at while it is young; this finds what changes later or was never ours: money
the gateway has and we don't know, money we have and it doesn't know, and other amounts.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from market.shared.clock import Clock
from market.shared.errors import GatewayUnavailable, MarketError
from market.shared.ids import PaymentId, well_formed
from market.shared.money import Money

from .domain import Payment
from .history import Door
from .incident import AMOUNTS_DIFFER, UNKNOWN_AT_GATEWAY, UNKNOWN_HERE
from .order import Order
from .ports import Gateways, Incidents, PaymentGateway, Payments
from .record import Seen, Snapshot
from .service import PaymentService

_log = structlog.get_logger()

DAY = timedelta(days=1)
# Each day is compared on the two days after it: what one run could not see, the next one does.
DAYS_BACK = 2
SKEW = timedelta(minutes=1)
AT_ONCE = 200
# A record may move between our look and our reading of our own row; twice in a row it hardly does.
REPAIRS = 2


def difference(payment: Payment, seen: Snapshot | None) -> str | None:
    """What kind of incident a payment and the gateway's record of it make; None if they agree.

    They agree on money alone: captured, given back, and in which currency. How much is left is
    not enough: 100 with nothing back and 150 with 50 back are not the same money.
    """
    theirs = seen if seen is not None and seen.state is Seen.PAID else None
    if payment.captured is None:
        return AMOUNTS_DIFFER if theirs else None
    if theirs is None:
        return UNKNOWN_AT_GATEWAY
    same = (theirs.captured, theirs.returned) == (payment.captured, payment.cancelled)
    return None if same else AMOUNTS_DIFFER


@dataclass(slots=True)
class Outcome:
    """What a comparison did: records read, payments of ours beside them, differences that a look
    repaired, incidents that are new, and questions that got no answer this time."""

    records: int = 0
    payments: int = 0
    repaired: int = 0
    incidents: int = 0
    unanswered: int = 0


class Comparison:
    """Compares every gateway's list of a time with our payments; can be repeated at will."""

    def __init__(
        self,
        payments: Payments,
        gateways: Gateways,
        incidents: Incidents,
        looking: PaymentService,
        clock: Clock,
    ) -> None:
        self._payments = payments
        self._gateways = gateways
        self._incidents = incidents
        self._looking = looking
        self._clock = clock

    async def daily(self) -> Outcome:
        """Yesterday and the day before, whole days of UTC."""
        today = self._midnight()
        return await self.between(today - DAYS_BACK * DAY, today)

    async def recent(self, days: int = DAYS_BACK) -> Outcome:
        """The last `days` whole days and today until now."""
        # Its clock gives the times, and may be ahead of ours.
        return await self.between(self._midnight() - days * DAY, self._clock.now() + SKEW)

    async def between(self, since: datetime, until: datetime) -> Outcome:
        """What moved in [since, until), a day at a time: no gateway lists more than 90 at once.

        What a gateway does not answer is counted, and hinders nothing else.
        """
        outcome = Outcome()
        for gateway in await self._used():
            start = since
            while start < until:
                end = min(start + DAY, until)
                await self._day(gateway, start, end, outcome)
                start = end
        _log.info("compared", since=str(since), until=str(until), **asdict(outcome))
        return outcome

    async def _used(self) -> Sequence[PaymentGateway]:
        """Today's gateway and those that payments were begun on: one that is merely built, and
        perhaps never configured, has nothing of ours."""
        return [
            gateway
            for gateway in self._gateways.all
            if gateway is self._gateways.today or await self._payments.any_on(gateway.version)
        ]

    async def _day(
        self, gateway: PaymentGateway, since: datetime, until: datetime, outcome: Outcome
    ) -> None:
        checked: set[PaymentId] = set()
        with _counted(outcome, "list_unread", gateway=gateway.version):
            async for seen in gateway.listed(since, until):
                outcome.records += 1
                if seen.state in {Seen.PAID, Seen.UNKNOWN}:
                    with _counted(outcome, "record_unchecked", reference=seen.reference):
                        await self._check_record(gateway, seen, checked, outcome)
        # The other way round even if the list could not be read: each of ours can still be asked
        # for by itself. A list may leave out what its gateway has (V1's says nothing of test
        # channels), so absence from it is only a reason to look, never proof.
        async for payment in self._ours(gateway.version, since, until):
            outcome.payments += 1
            if payment.id not in checked:
                with _counted(outcome, "payment_unchecked", payment_id=payment.id):
                    await self._check_payment(gateway, payment.id, outcome)

    async def _check_record(
        self, gateway: PaymentGateway, seen: Snapshot, checked: set[PaymentId], outcome: Outcome
    ) -> None:
        id = PaymentId(seen.order_id)
        order = await self._payments.of_order(id) if well_formed(id) else []
        if not order or order[0].gateway != gateway.version:
            if seen.is_paid:
                await self._report_unknown(gateway, seen, outcome)
            return
        mine = _named(order, seen.reference)
        if mine is None and seen.is_paid:
            # Perhaps it came under the order besides: a look tells, and takes it up.
            await self._apply_news(id)
            order = await self._payments.of_order(id)
            mine = _named(order, seen.reference)
            outcome.repaired += mine is not None
            if mine is None:  # a list shows it, and a look at its order does not
                await self._report_unknown(gateway, seen, outcome)
        if mine is not None and difference(mine, seen) is None:
            checked.add(mine.id)
            return
        for payment in order:
            checked.add(payment.id)
            await self._check_payment(gateway, payment.id, outcome)

    async def _check_payment(
        self, gateway: PaymentGateway, id: PaymentId, outcome: Outcome
    ) -> None:
        """Looks at one payment by itself and applies what is news; what differs still is an
        incident. Raises GatewayUnavailable."""
        for left in reversed(range(REPAIRS + 1)):
            payment = await self._payments.get(id)
            attempts = await gateway.look(payment)
            order = Order(await self._payments.of_order(payment.order_id), attempts)
            if await self._is_senseless(order, payment, outcome):
                return
            seen = next(seen for mine, seen in order.shares() if mine.id == id)
            kind = difference(payment, seen)
            if kind is None:
                outcome.repaired += left < REPAIRS
                return
            if left:
                await self._apply_news(id)
            else:
                await self._report_difference(kind, payment, seen, outcome)

    async def _is_senseless(self, order: Order, payment: Payment, outcome: Outcome) -> bool:
        """Whether what the gateway has of a payment is not to be believed."""
        senseless = order.senseless()
        for seen in senseless:
            found = await self._looking.report_senseless(order.payments[0], seen)
            outcome.incidents += found
        return payment.reference in {seen.reference for seen in senseless}

    async def _apply_news(self, id: PaymentId) -> None:
        try:
            await self._looking.synchronize(id, door=Door.COMPARISON)
        except GatewayUnavailable:
            raise
        except Exception:
            # A record so wrong that our own rules refuse it is just what operators must hear of.
            _log.exception("record_not_applied", payment_id=id)

    async def _report_difference(
        self, kind: str, payment: Payment, seen: Snapshot | None, outcome: Outcome
    ) -> None:
        there = _money(*_amounts(seen))
        here = _money(payment.captured, payment.cancelled, payment.reference)
        found = {"gateway": payment.gateway, "here": here, "there": there}
        # The amounts belong to the subject: to settle this difference must not hide another.
        subject = f"{payment.id}: {there['captured']}, {there['returned']} back"
        about = subject if kind == AMOUNTS_DIFFER else None
        outcome.incidents += await self._incidents.report(kind, payment, found, about)

    async def _report_unknown(
        self, gateway: PaymentGateway, seen: Snapshot, outcome: Outcome
    ) -> None:
        expected = gateway.till.test
        if expected is not None and seen.test is not None and seen.test is not expected:
            return  # another environment's: its play money, or the real money beside our rehearsal
        found = {"gateway": gateway.version, "order": seen.order_id, **_money(*_amounts(seen))}
        subject = f"{gateway.version}:{seen.reference}"
        outcome.incidents += await self._incidents.report(UNKNOWN_HERE, None, found, subject)

    async def _ours(self, version: str, since: datetime, until: datetime) -> AsyncIterator[Payment]:
        """Our payments with money that moved in this time, by id."""
        after: PaymentId | None = None
        while True:
            found = await self._payments.moved(version, since, until, after, AT_ONCE)
            for payment in found:
                yield payment
            if len(found) < AT_ONCE:
                return
            after = found[-1].id

    def _midnight(self) -> datetime:
        return self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


@contextmanager
def _counted(outcome: Outcome, event: str, **about: str) -> Iterator[None]:
    """What fails is counted and logged, and hinders nothing else; the next run tries it again."""
    try:
        yield
    except MarketError as trouble:
        outcome.unanswered += 1
        _log.warning(event, trouble=trouble.code, **about)
    except Exception:
        outcome.unanswered += 1
        _log.exception(event, **about)


def _named(order: Sequence[Payment], reference: str) -> Payment | None:
    return next((each for each in order if each.reference == reference), None)


def _amounts(seen: Snapshot | None) -> tuple[Money | None, int, str | None]:
    """What the gateway's record holds; one that was never paid holds nothing."""
    if seen is None or seen.state is not Seen.PAID:
        return None, 0, seen.reference if seen else None
    return seen.captured, seen.returned, seen.reference


def _money(captured: Money | None, returned: int, reference: str | None) -> dict[str, Any]:
    """For operators: amounts in minor units, and the gateway's own name for the attempt."""
    shown = f"{captured.amount} {captured.currency}" if captured else "nothing"
    return {"captured": shown, "returned": returned, "reference": reference}
