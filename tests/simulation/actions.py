"""What buyers, sellers, strangers and workers do to the market."""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from market.kit.db.database import Row
from market.payments.domain import Means as RealMeans
from market.payments.domain import Method
from market.payments.sweep import AT_ONCE
from market.products.domain import Change
from market.shared.banking import Bank, RefundAccount
from market.shared.ids import MemberId, PaymentId, ProductId, TradeId
from market.shared.money import Money
from market.shared.principals import MemberSummary

from .protocol import Script
from .screens import Screens
from .stage import Diverged, Due
from .state import CARD, Means, Payment, Product, Trade
from .world import Step, World

Item = TypeVar("Item")
OPERATOR = MemberId("e" * 32)
MINE = RefundAccount(Bank.SHINHAN, "110-000-000000", "buyer")
MEANS: Sequence[Means] = (CARD, CARD, ("VIRTUAL_ACCOUNT", "KOOKMIN"), ("VIRTUAL_ACCOUNT", "KAKAO"))
RECENT = 12


class Actions:
    """Steps: each an act on the market beside the script it must follow."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng: random.Random = world.rng
        self.model, self.protocol, self.gateway = world.model, world.protocol, world.gateway
        self.screens = Screens(self.rng)
        self.nobody = 0

    # ── members ──

    def anybody(self) -> str:
        return self.rng.choice(self.world.members).id

    def any_product(self) -> Product:
        products = list(self.model.products.values())
        left = [p for p in products[-RECENT:] if p.taken < p.quantity]
        return self.rng.choice(left if left and self.rng.random() < 0.8 else products[-RECENT:])

    def any_listing(self) -> Step:
        seller, price = self.rng.choice(self.world.members), self.rng.randint(3, 90_000)
        quantity = self.rng.randint(1, 5)

        def listed(made: Sequence[str]) -> None:
            id = made[-1]
            self.model.products[id] = Product(id, seller.id, price, quantity)

        return self._rule(
            f"{seller.nickname} lists {quantity} for {price}",
            lambda market: market.products.list_new(seller, "chair", Money(price), quantity, ""),
            listed,
        )

    def any_change(self) -> Step:
        product = self.any_product()
        by = self.rng.choice([product.seller, product.seller, self.anybody()])
        price = self.rng.choice([None, self.rng.randint(3, 90_000)])
        quantity = self.rng.choice([None, self.rng.randint(1, 5), product.quantity + 1])
        change = Change(price=price, quantity=quantity)
        read = self.screens.shown(by, f"edit {product.id}", product.revision)
        seen = self.rng.choice([None, read, read])
        return self._rule(
            f"{_who(by)} changes {seen} of {short(product.id)}: {price}, {quantity}",
            lambda market: market.products.change(
                ProductId(product.id),
                MemberId(by),
                change,
                seen=None if seen is None else {seen},
            ),
            lambda made: self.model.change(product, by, price, quantity, seen),
        )

    def any_purchase(self) -> Step:
        return self.buy(self.any_product(), self.rng.choice(self.world.members))

    def buy(self, product: Product, buyer: MemberSummary) -> Step:
        seen = self.screens.agreed(buyer.id, product.id, product.price)
        return Step(
            f"{buyer.nickname} buys {short(product.id)} for {seen}",
            lambda market: market.trades.buy(ProductId(product.id), buyer, seen),
            lambda: self.protocol.buy(product, buyer.id, seen),
        )

    def approve(self, trade: Trade, by: str) -> Step:
        seen = self.screens.agreed(by, trade.id, trade.held)
        return self._rule(
            f"{_who(by)} approves {seen} of {short(trade.id)}",
            lambda market: market.trades.approve(TradeId(trade.id), MemberId(by), seen),
            lambda made: self.model.approve(trade, by, seen),
        )

    def confirm(self, trade: Trade, by: str) -> Step:
        seen = self.screens.agreed(by, trade.id, trade.held)
        return self._rule(
            f"{_who(by)} confirms {seen} of {short(trade.id)}",
            lambda market: market.trades.confirm(TradeId(trade.id), MemberId(by), seen),
            lambda made: self.model.confirm(trade, by, seen),
        )

    def start(self, trade: Trade, payer: str, means: Means) -> Step:
        method, bank = means
        real = RealMeans(Method(method), Bank(bank) if bank else None)
        return Step(
            f"{_who(payer)} begins to pay {short(trade.id)} by {bank or method}",
            lambda market: market.payments.start(TradeId(trade.id), MemberId(payer), real),
            lambda: self.protocol.start(trade, payer, means),
        )

    def complete(self, payment: Payment, buyer: str, token: str | None) -> Step:
        id = PaymentId(payment.id)
        return Step(
            f"{_who(buyer)} completes {short(payment.id)} {'with a token' if token else ''}",
            lambda market: market.payments.complete(id, MemberId(buyer), token),
            lambda: self.protocol.complete(payment, buyer, token),
        )

    def look(self, payment: Payment) -> Step:
        return Step(
            f"a look at {short(payment.id)}",
            lambda market: market.payments.synchronize(PaymentId(payment.id)),
            lambda: self.protocol.look(payment),
        )

    def call_off(self, trade: Trade, by: str) -> Step:
        account = MINE if self.rng.random() < 0.7 else None
        return Step(
            f"{_who(by)} calls off {short(trade.id)}{', says where to' if account else ''}",
            lambda market: market.refunds.cancel_purchase(
                TradeId(trade.id), MemberId(by), "why", account
            ),
            lambda: self.protocol.call_off(trade, by, account=account is not None),
        )

    def cancel(self, payment: Payment, by: str, amount: int | None) -> Step:
        account = MINE if self.rng.random() < 0.7 else None
        return Step(
            f"{_who(by)} takes {amount} back of {short(payment.id)}",
            lambda market: market.refunds.cancel(
                PaymentId(payment.id), MemberId(by), amount, "why", account
            ),
            lambda: self.protocol.cancel(payment, by, amount, account=account is not None),
        )

    def send_to(self, payment: Payment, by: str) -> Step:
        return Step(
            f"{_who(by)} says where {short(payment.id)} is to go",
            lambda market: market.refunds.send_to(PaymentId(payment.id), MemberId(by), MINE),
            lambda: self.protocol.send_to(payment, by),
        )

    def give_up(self, payment: Payment) -> Step:
        return Step(
            f"an operator gives the refund of {short(payment.id)} up",
            lambda market: market.refunds.give_up(PaymentId(payment.id), OPERATOR, "it never ends"),
            lambda: self.protocol.give_up(payment),
        )

    def _rule(self, name: str, act: Any, rule: Callable[[Sequence[str]], None]) -> Step:
        return Step(name, act, lambda: self.protocol.one(rule))

    # ── workers ──

    def any_sweep(self) -> Step:
        sweeps = (self.hints, self.holds, self.cancellations, self.payments, self.checks)
        return self.rng.choices((*sweeps, self.reconcile), (10, 7, 6, 6, 4, 1))[0]()

    def hints(self) -> Step:
        def taken(rows: Sequence[Row]) -> list[tuple[str, Script]]:
            # The inbox numbers them in the order they came, and so do we.
            numbers = sorted(row["id"] for row in rows)
            due = self.model.due_hints()[:AT_ONCE]
            if len(due) != len(rows):
                raise Diverged(f"hints: {len(rows)} taken up, {len(due)} were due")
            for hint in due:
                self.model.take_up(hint)
            by_number = dict(zip(numbers, due, strict=True))
            return [("a hint", self.protocol.follow(by_number[row["id"]])) for row in rows]

        return self._job("hints", lambda market: market.sweep.hints(), taken)

    def holds(self) -> Step:
        return self._job(
            "holds",
            lambda market: market.sweep.holds(),
            lambda rows: [
                ("a hold that ran out", self.protocol.expire_hold(trade))
                for trade in _taken("holds", rows, self.model.due_holds())
            ],
        )

    def cancellations(self) -> Step:
        def taken(rows: Sequence[Row]) -> list[tuple[str, Script]]:
            due = _taken("cancellations", rows, self.model.due_cancellations())
            for asked in due:
                self.model.take_up(asked)
            return [("a cancellation", self.protocol.settle(asked)) for asked in due]

        return self._job("cancellations", lambda market: market.sweep.cancellations(), taken)

    def payments(self) -> Step:
        def taken(rows: Sequence[Row]) -> list[tuple[str, Script]]:
            due = _taken("payments", rows, self.model.due_payments())
            for payment in due:
                self.model.take_up(payment)
            return [("a payment", self.protocol.look(payment)) for payment in due]

        return self._job("payments", lambda market: market.sweep.payments(), taken)

    def checks(self) -> Step:
        def taken(rows: Sequence[Row]) -> list[tuple[str, Script]]:
            known = self.model.payments
            due = [known[row["id"]] for row in rows]
            if idle := [payment.id for payment in due if not payment.left]:
                raise Diverged(f"checks: took up {idle}, where nothing is left")
            return [("a payment", self.protocol.look(payment)) for payment in due]

        return self._job("checks", lambda market: market.sweep.checks(), taken)

    def reconcile(self) -> Step:
        after, newest = "", None

        def taken(rows: Sequence[Row]) -> list[tuple[str, Script]]:
            """A page; none that is begun after the first."""
            nonlocal after, newest
            newest = max(self.model.payments, default="") if newest is None else newest
            due = sorted(self.model.unfinished(), key=lambda payment: payment.id)
            page = [payment for payment in due if after < payment.id <= newest][:AT_ONCE]
            ids = [row["id"] for row in rows]
            if ids != [payment.id for payment in page]:
                raise Diverged(f"reconcile: took up {ids}, due were {[p.id for p in page]}")
            after = max(ids, default=after)
            return [("a payment", self.protocol.look(payment)) for payment in page]

        return self._job("reconcile", lambda market: market.sweep.reconcile(), taken)

    def _job(self, name: str, act: Any, due: Due) -> Step:
        return Step(f"the worker: {name}", act, self.protocol.nothing, due)

    def any_comparison(self) -> Step:
        return self.compare(self.rng.randint(0, 2))

    def compare(self, days: int) -> Step:
        return Step(
            f"a comparison of {days} days",
            lambda market: market.comparison.recent(days),
            self.protocol.free_looks,
        )

    def any_webhook(self) -> Step:
        """One that waits, in no order; or a forged one, about something or nothing of ours."""
        waiting, rng = self.gateway.webhooks, self.rng
        if waiting and rng.random() < 0.9:
            about = waiting.pop(rng.randrange(len(waiting)))
        elif self.model.payments and rng.random() < 0.7:
            about = rng.choice(list(self.model.payments))
        else:
            self.nobody += 1
            about = f"{self.nobody:032x}"[::-1]
        return self.webhook(about)

    def webhook(self, about: str) -> Step:
        body = {"merchant_uid": about}
        return self._rule(
            f"a webhook about {short(about)}",
            lambda market: market.inbox.add("V1", PaymentId(about), body),
            lambda made: self.model.hinted(about),
        )


def _taken(job: str, rows: Sequence[Row], due: Sequence[Item]) -> list[Item]:
    """What these rows took up, in their order; it must be all that was due."""
    known = {item.id: item for item in due}  # type: ignore[attr-defined]
    ids = [row["id"] for row in rows]
    if not set(ids) <= set(known) or (len(ids) != len(known) and len(ids) != AT_ONCE):
        raise Diverged(f"{job}: took up {ids}, due were {sorted(known)}")
    return [known[id] for id in ids]


def short(id: str) -> str:
    return f"#{id.lstrip('0')}"


def _who(member: str) -> str:
    return f"m{member[0]}" if member.endswith("0") else short(member)
