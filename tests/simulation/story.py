"""What happens next: drawn from the seed, mostly what makes sense, about what is going on."""

import random
from collections.abc import Callable
from datetime import timedelta

from market.payments.record import Seen, Transfer

from .actions import MEANS, RECENT, Actions
from .gateway import BAD, CALM, DEAD, Attempt, Record
from .state import APPROVED, AWAITING, CANCELLED, CONFIRMED, ISSUED, PAID, READY, Trade
from .world import Step, World


class Story:
    """One world's, step by step: members, workers, the gateway, the clock, and deaths."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.model, self.gateway = world.model, world.gateway
        self.actions = Actions(world)

    # ── what to do next ──

    async def next(self, *, storms: bool) -> None:
        """Takes one step."""
        world, rng = self.world, self.rng
        world.clock.move(timedelta(microseconds=rng.randint(1, 900_000)))
        kind = rng.choices(("market", "outside", "together", "clock"), (62, 24, 8, 6))[0]
        if kind == "clock":
            self._clock()
        elif kind == "outside":
            self._outside()
        elif kind == "together":
            storm = storms and rng.random() < 0.5
            if not storm:
                self._maybe_die()
            await world.do(*self._together(storm), storm=storm)
        else:
            step = self._step()
            self._maybe_die()
            await world.do(step)

    def _maybe_die(self) -> None:
        if self.rng.random() < 0.03:
            self.world.stage.dies_in = self.rng.randint(0, 8)

    def _step(self) -> Step:
        rng = self.rng
        trade = self._trade()
        left = sum(p.quantity - p.taken for p in list(self.model.products.values())[-RECENT:])
        if not self.model.products or (left < 4 and rng.random() < 0.3):
            return self.actions.any_listing()
        if trade is None:
            return self.actions.any_purchase()
        kinds: dict[Callable[[], Step], float] = {
            lambda: self._sensible(trade): 34,
            self.actions.any_purchase: 16,
            lambda: self._anything(trade): 18,
            lambda: self._one_more_part(trade): 4,
            self.actions.any_sweep: 14,
            self.actions.any_webhook: 12,
            self.actions.any_listing: 1.5,
            self.actions.any_change: 4,
            self.actions.any_comparison: 0.4,
        }
        return rng.choices(list(kinds), list(kinds.values()))[0]()

    def _trade(self) -> Trade | None:
        trades = [t for t in self.model.trades.values() if not self._sleeps(t)]
        chance = self.rng.random()
        going_on = [t for t in trades[-5 * RECENT :] if t.status not in {CONFIRMED, CANCELLED}]
        if going_on and chance < 0.7:
            trades = going_on
        elif chance < 0.95:
            trades = trades[-RECENT:]
        return self.rng.choice(trades) if trades else None

    def _sensible(self, trade: Trade) -> Step:
        """What would bring this trade further."""
        payment = trade.open_payment
        if trade.status == AWAITING and payment is None:
            means = MEANS[-1] if _forgetful(trade) else self.rng.choice(MEANS)
            return self.actions.start(trade, trade.buyer, means)
        if payment is not None:
            token = f"token {payment.id}" if self.rng.random() < 0.25 else None
            return self.actions.complete(payment, trade.buyer, token)
        waiting = [p for p in trade.payments if p.unfinished]
        if waiting:
            ends = self.rng.random() < 0.06
            give_up = self.actions.give_up(waiting[0])
            return give_up if ends else self.actions.send_to(waiting[0], trade.buyer)
        if trade.holds_money and self.rng.random() < 0.2:
            return self._send_back(trade)
        if trade.status == PAID:
            return self.actions.approve(trade, trade.product.seller)
        return self.actions.confirm(trade, trade.buyer)

    def _send_back(self, trade: Trade) -> Step:
        """A part of its money, or all of it, by whoever may."""
        by = trade.buyer if trade.status == PAID else trade.product.seller
        payment = trade.paid_by
        if payment is None or self.rng.random() < 0.3:
            return self.actions.call_off(trade, by)
        return self.actions.cancel(payment, by, self.rng.randint(1, trade.price))

    def _one_more_part(self, otherwise: Trade) -> Step:
        """Somebody who got a part back tries for another, as far as the market lets them."""
        trades = list(self.model.trades.values())[-5 * RECENT :]
        partly = [t for t in trades if t.holds_money and t.refunded and not t.refunding]
        if not partly:
            return self._sensible(otherwise)
        trade = self.rng.choice(partly)
        assert trade.paid_by is not None
        by = trade.buyer if trade.status == PAID else trade.product.seller
        return self.actions.cancel(trade.paid_by, by, max(100, trade.price // 8))

    def _anything(self, trade: Trade) -> Step:
        """What may make sense to nobody."""
        rng = self.rng
        who = rng.choice([trade.buyer, trade.buyer, trade.product.seller, self.actions.anybody()])
        kinds: list[Callable[[], Step]] = [
            lambda: self.actions.start(trade, who, rng.choice(MEANS)),
            lambda: self.actions.approve(trade, who),
            lambda: self.actions.confirm(trade, who),
            lambda: self.actions.call_off(trade, who),
        ]
        if trade.payments:
            payment = rng.choice(trade.payments)
            token = rng.choice([None, f"token {payment.id}", "forged"])
            amount = rng.choice([None, 1, payment.left, payment.left + 1, trade.price // 3])
            kinds += [
                lambda: self.actions.complete(payment, who, token),
                lambda: self.actions.cancel(payment, who, amount),
                lambda: self.actions.cancel(payment, who, amount),
                lambda: self.actions.send_to(payment, who),
                lambda: self.actions.look(payment),
                lambda: self.actions.give_up(payment),
            ]
        return rng.choice(kinds)()

    def _together(self, storm: bool) -> list[Step]:
        """Two to four at once, about one trade or one product."""
        rng, trade = self.rng, self._trade()
        if trade is None:
            return [self._step()]
        if rng.random() < 0.25:
            product = self.actions.any_product()
            return [
                self.actions.buy(product, person) for person in rng.sample(self.world.members, 4)
            ]
        if storm:
            return self._stormy(trade)
        if trade.status == AWAITING and rng.random() < 0.4:
            return self._in_the_last_second(trade)
        kinds: list[Callable[[], Step]] = [
            lambda: self._sensible(trade),
            lambda: self._sensible(trade),
            lambda: self._anything(trade),
            lambda: self._anything(trade),
            self.actions.any_sweep,
            self.actions.any_webhook,
        ]
        return [kind() for kind in rng.choices(kinds, k=rng.choice((2, 2, 3)))]

    def _in_the_last_second(self, trade: Trade) -> list[Step]:
        """The hold runs out while its buyer begins to pay, by any means, and a worker comes by."""
        left = trade.hold_until - self.model.clock.now() - timedelta(seconds=1)
        if left > timedelta():
            self.world.clock.move(left)
        starting = self.actions.start(trade, trade.buyer, self.rng.choice(MEANS))
        return [starting, self.actions.holds(), self._sensible(trade)]

    def _stormy(self, trade: Trade) -> list[Step]:
        """Only what decides under its locks: what it read before may be old by the commit."""
        buyer, seller = trade.buyer, trade.product.seller
        kinds: list[Callable[[], Step]] = [
            lambda: self.actions.approve(trade, seller),
            lambda: self.actions.confirm(trade, buyer),
            lambda: self.actions.confirm(trade, buyer),
        ]
        if trade.payments:
            payment = self.rng.choice(trade.payments)
            kinds += [lambda: self.actions.look(payment)] * 3
        if trade.status == APPROVED:
            kinds = [lambda: self.actions.confirm(trade, buyer)]
        kinds.append(lambda: self.actions.call_off(trade, self.rng.choice([buyer, seller])))
        return [kind() for kind in self.rng.choices(kinds, k=self.rng.choice((2, 3, 4)))]

    # ── behind the market's back ──

    def _clock(self) -> None:
        rng = self.rng
        seconds = rng.choices(
            (
                rng.uniform(1, 60),
                rng.uniform(60, 700),
                -rng.uniform(0, 5),
                rng.uniform(600, 90_000),
            ),
            (50, 20, 10, 8),
        )[0]
        self.world.clock.move(timedelta(microseconds=int(seconds * 1_000_000)))
        self.world.told.append(f"the clock moves {seconds:.1f} s")

    def _outside(self) -> None:
        rng, gateway = self.rng, self.gateway
        if rng.random() < 0.04:
            gateway.weather = rng.choices((CALM, BAD, DEAD), (5, 4, 1))[0]
            self.world.told.append(f"the gateway's weather: {gateway.weather}")
        elif gateway.late and rng.random() < 0.06:
            gateway.late.pop(rng.randrange(len(gateway.late)))[1]()
            self.world.told.append("the gateway does late what it was asked for")
        elif (under_way := gateway.under_way()) and rng.random() < 0.06:
            refund, well = rng.choice(under_way), rng.random() < 0.6
            gateway.finish(refund, well=well)
            self.world.told.append(f"a refund of {refund.attempt.reference} is {refund.state}")
        elif (unsent := gateway.untransferred()) and rng.random() < 0.06:
            attempt = rng.choice(unsent)
            attempt.transfer = rng.choice((Transfer.COMPLETED, Transfer.FAILED))
            self.world.told.append(f"the transfer of {attempt.reference}: {attempt.transfer}")
        elif rng.random() < 0.004:
            stranger = Record(f"{len(gateway.records):x}".rjust(32, "f"), 500)
            gateway.records[stranger.id] = stranger
            gateway.pay(stranger.begin(), 500)
            self.world.told.append(f"money nobody here knows: {stranger.id}")
        elif rng.random() < 0.08 and (dead := self._dead_accounts()):
            self._is_paid(rng.choice(dead))
        elif rng.random() < 0.02 and (attempts := gateway.attempts()[-RECENT:]):
            bent = rng.choice(attempts)
            bent.trouble = None if bent.trouble else "nobody can read this"
            self.world.told.append(
                f"{bent.reference} makes {'no' if bent.trouble else 'some'} sense"
            )
        elif gateway.records:
            records = [r for r in gateway.records.values() if not self._is_forgotten(r)]
            recent = records[-RECENT:] if rng.random() < 0.9 else records
            unpaid = [r for r in recent if not r.is_paid]
            if recent:
                self._happens_to(rng.choice(unpaid if unpaid and rng.random() < 0.8 else recent))

    def _sleeps(self, trade: Trade) -> bool:
        payment = trade.open_payment
        return payment is not None and payment.has_account and _forgetful(trade)

    def _is_forgotten(self, record: Record) -> bool:
        payment = self.model.payments.get(record.id)
        return payment is not None and self._sleeps(payment.trade)

    def _dead_accounts(self) -> list[Attempt]:
        """Where a deposit would come too late, or once more."""
        return [
            attempt
            for attempt in self.gateway.attempts()
            if attempt.account is not None
            and attempt.state is Seen.UNPAID
            and (known := self.model.payments.get(attempt.order.id)) is not None
            and known.status not in {READY, ISSUED}
        ]

    def _happens_to(self, record: Record) -> None:
        """Buyers pay, rightly, wrongly, in vain, twice, by another way, or too late; the console
        gives money back."""
        rng, gateway = self.rng, self.gateway
        paid = [each for each in record.attempts if each.left]
        if record.is_paid and rng.random() < 0.9:
            if paid and rng.random() < 0.15:
                attempt = rng.choice(paid)
                amount = rng.choice([attempt.left, 1, max(1, attempt.left // 2)])
                gateway.give_back(attempt, amount)
                self.world.told.append(f"the console gives {amount} of {attempt.reference} back")
            return
        accounts = [each for each in record.attempts if each.account and each.state is Seen.UNPAID]
        if accounts and rng.random() < 0.9:
            self._is_paid(rng.choice(accounts))
            return
        # Two windows of one order stay open at once, and both can be paid.
        attempt = record.begin() if rng.random() < 0.1 else gateway.window(record)
        if rng.random() < 0.1:
            gateway.choose_account(attempt)
            self.world.told.append(f"{attempt.reference} becomes an account")
        elif rng.random() < 0.15:
            gateway.fail(attempt)
            self.world.told.append(f"{attempt.reference} is declined")
        else:
            self._is_paid(attempt)

    def _is_paid(self, attempt: Attempt) -> None:
        rng, asked = self.rng, attempt.order.amount
        wrong = rng.random() < 0.05
        amount = max(1, asked + rng.choice([-1, 1, 500])) if wrong else asked
        currency = "USD" if rng.random() < 0.01 else "KRW"
        self.gateway.pay(attempt, amount, currency)
        self.world.told.append(f"{attempt.reference} is paid: {amount} {currency}")


def _forgetful(trade: Trade) -> bool:
    """Whether its buyer has an account opened and thinks of it again when it is too late."""
    return int(trade.id, 16) % 5 == 0
