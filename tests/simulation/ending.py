"""The end of a world: all heals, all that is late arrives, and every won is accounted for."""

from collections import Counter
from datetime import timedelta

from market.payments.record import Seen, Transfer
from market.verify import broken

from .actions import Actions
from .gateway import HEALED, Attempt
from .stage import Diverged
from .state import AWAITING, CONFIRMED, MARKET, Payment
from .world import BEGINNING, World

ROUNDS = 60
# What a member or an operator must still do; everything else has to come right by itself.
EXPLAINED = {
    "paid_twice",
    "unreadable_record",
    "wrong_amount",
    "wrong_currency",
    "returned_after_settlement",
    "refund_refused",
    "refund_transfer_failed",
}


async def bring_to_rest(world: World, actions: Actions) -> None:
    """Sweeps until nothing is left to sweep, and compares all of the gateway's days."""
    gateway, model = world.gateway, world.model
    gateway.weather = HEALED
    for attempt in gateway.attempts():
        attempt.trouble = None
    while gateway.late:
        gateway.late.pop()[1]()
    for refund in gateway.under_way():
        gateway.finish(refund, well=world.rng.random() < 0.7)
    for about in [*gateway.webhooks]:
        await world.do(actions.webhook(about))
    gateway.webhooks.clear()
    for _ in range(ROUNDS):
        for attempt in gateway.untransferred():
            attempt.transfer = Transfer.COMPLETED
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
        f"V1:{attempt.reference}"
        for attempt in world.gateway.attempts()
        if attempt.state is Seen.PAID and attempt.order.id not in world.model.payments
    ]


def _ours(world: World) -> list[tuple[Attempt, Payment]]:
    """Each attempt that took money under an order of ours, and the payment that stands for it."""
    by_reference = {p.reference: p for p in world.model.payments.values() if p.captured}
    found = []
    for attempt in world.gateway.attempts():
        if attempt.state is Seen.PAID and attempt.order.id in world.model.payments:
            payment = by_reference.pop(attempt.reference, None)
            if payment is None:
                raise Diverged(f"the gateway has {attempt.left} of {attempt.reference}, and nobody")
            found.append((attempt, payment))
    if by_reference:
        raise Diverged(f"the market has money that never was: {by_reference}")
    return found


def _agree_with_gateway(world: World) -> None:
    """What the books say the gateway holds is what it holds, attempt by attempt."""
    for attempt, payment in _ours(world):
        there = ((attempt.captured, attempt.currency), attempt.returned)
        if (payment.captured, payment.cancelled) != there:
            raise Diverged(f"the gateway has {there} of {attempt.reference}, the market {payment}")


def _each_won_in_one_place(world: World) -> None:
    """Each captured won is a live trade's, a seller's and the market's, sent back, claimed back,
    or waits (with an incident) for its buyer's account; and the ledger says the same."""
    places: Counter[tuple[str, str]] = Counter()
    for attempt, payment in _ours(world):
        places["gateway", attempt.currency] -= attempt.held
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
    given_up = any(c.given_up for c in payment.cancellations)
    waits = asked is not None and asked.try_at is None
    which = f"{payment.id}: {asked.id}" if asked else ""
    told = ("refund_account_needed", which) in world.model.incidents
    owed = waits and asked and asked.by == MARKET and told
    if payment.left and not going_on and not owed and not given_up:
        raise Diverged(f"money in no place: {payment}")
    if asked is not None and not waits:
        raise Diverged(f"a cancellation that never ends: {asked}")
