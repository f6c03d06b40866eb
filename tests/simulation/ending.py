"""The end of a world: all heals, all that is late arrives, and every won is accounted for."""

from collections import Counter
from datetime import timedelta

from market.payments.record import Seen
from market.verify import broken

from .actions import Actions
from .gateway import HEALED
from .stage import Diverged
from .state import AWAITING, CONFIRMED, MARKET, Payment
from .world import BEGINNING, World

ROUNDS = 60
# What a member or an operator must still do; everything else has to come right by itself.
EXPLAINED = {"wrong_amount", "wrong_currency", "returned_after_settlement", "refund_refused"}


async def bring_to_rest(world: World, actions: Actions) -> None:
    """Sweeps until nothing is left to sweep, and compares all of the gateway's days."""
    gateway, model = world.gateway, world.model
    gateway.weather = HEALED
    while gateway.late:
        gateway.late.pop()[1]()
    for about in [*gateway.webhooks]:
        await world.do(actions.webhook(about))
    gateway.webhooks.clear()
    for _ in range(ROUNDS):
        sweeps = (actions.hints(), actions.holds(), actions.cancellations(), actions.payments())
        for step in (*sweeps, actions.reconcile()):
            await world.do(step)
        if not (_waiting(model.payments.values()) or model.due_holds() or _unhandled(world)):
            break
        world.clock.move(timedelta(hours=25))
    days = (world.clock.now() - BEGINNING).days + 1
    await world.do(actions.compare(days))
    await world.do(actions.reconcile())
    for step in (actions.cancellations(), actions.holds(), actions.cancellations()):
        await world.do(step)


def _waiting(payments: object) -> bool:
    assert hasattr(payments, "__iter__")
    return any(
        p.look_at is not None or ((c := p.open_cancellation) is not None and c.try_at is not None)
        for p in payments
    )


def _unhandled(world: World) -> bool:
    return any(not hint.handled for hint in world.model.hints)


async def judge(world: World) -> None:
    """Raises Diverged unless the market, the model and the gateway tell the same story."""
    for wrong in await broken(world.plain):
        raise Diverged(f"market verify: {wrong}")
    await world.agree(also={("unknown_here", about) for about in _strangers(world)})
    _agree_with_gateway(world)
    _each_won_in_one_place(world)
    now = world.clock.now()
    for trade in world.model.trades.values():
        if trade.status == AWAITING and trade.hold_until <= now:
            raise Diverged(f"a hold past its deadline: {trade.id}")
    for kind, subject in world.model.incidents:
        if kind not in EXPLAINED and kind != "refund_account_needed":
            raise Diverged(f"an incident nobody expected: {kind} {subject}")


def _strangers(world: World) -> list[str]:
    return [
        f"V1:ref{record.id}{record.attempt}"
        for record in world.gateway.records.values()
        if record.state is Seen.PAID and record.id not in world.model.payments
    ]


def _agree_with_gateway(world: World) -> None:
    """What the books say the gateway holds is what it holds, payment by payment."""
    for record in world.gateway.records.values():
        payment = world.model.payments.get(record.id)
        if payment is None or record.state is not Seen.PAID:
            continue
        there = ((record.captured, record.currency), record.returned)
        if (payment.captured, payment.cancelled) != there:
            raise Diverged(f"the gateway has {there} of {record.id}, the market {payment}")
    for payment in world.model.payments.values():
        known = world.gateway.records.get(payment.id)
        if payment.captured and (known is None or known.state is not Seen.PAID):
            raise Diverged(f"the market has money of {payment.id} that never was")


def _each_won_in_one_place(world: World) -> None:
    """Each captured won is a live trade's, a seller's and the market's, sent back, claimed back,
    or waits (with an incident) for its buyer's account; and the ledger says the same."""
    places: Counter[tuple[str, str]] = Counter()
    for record in world.gateway.records.values():
        payment = world.model.payments.get(record.id)
        if payment is not None and record.state is Seen.PAID:
            places["gateway", record.currency] -= record.left
            _place(world, payment, places)
    booked: Counter[tuple[str, str]] = Counter()
    for debit, credit, amount, currency in world.model.ledger.values():
        booked[debit, currency] -= amount
        booked[credit, currency] += amount
    if {k: v for k, v in places.items() if v} != {k: v for k, v in booked.items() if v}:
        raise Diverged(f"the money is at {places}, the ledger says {booked}")


def _place(world: World, payment: Payment, places: Counter[tuple[str, str]]) -> None:
    assert payment.captured
    trade, currency = payment.trade, payment.captured[1]
    if trade.paid_by is payment and trade.status == CONFIRMED:
        held = trade.price - trade.refunded
        fee = trade.fee * held // trade.price
        places["fees", currency] += fee
        places[f"seller:{trade.product.seller}", currency] += held - fee
        places["claims", currency] -= payment.cancelled - trade.refunded
        return
    places["escrow", currency] += payment.left
    asked = payment.open_cancellation
    going_on = trade.paid_by is payment and trade.holds_money
    waits = asked is not None and asked.try_at is None
    which = f"{payment.id}: {asked.id}" if asked else ""
    told = ("refund_account_needed", which) in world.model.incidents
    if payment.left and not going_on and not (waits and asked and asked.by == MARKET and told):
        raise Diverged(f"money in no place: {payment}")
    if asked is not None and not waits:
        raise Diverged(f"a cancellation that never ends: {asked}")
