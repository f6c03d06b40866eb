"""One world: the real services on a real database, a gateway to distrust, and the model beside."""

import hashlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from market.app import Market, assemble
from market.kit.db.database import Database, Row
from market.payments.ports import Gateways
from market.settings import Settings
from market.shared.errors import MarketError
from market.shared.ids import MemberId
from market.shared.principals import MemberSummary

from .gateway import CALM, SimulatedGateway
from .model import Model
from .protocol import ANYTHING, Protocol, Script
from .stage import Died, Diverged, Due, Stage, StagedDatabase, Sweeping, Thread
from .state import Refused

# Beyond every real moment: what the database stamps with its own clock is in the past.
BEGINNING = datetime(2100, 1, 1, tzinfo=UTC)
MEMBERS = 6


class SteppedClock:
    """Moved by the seed: forward, and now and then a little back, as clocks are set."""

    def __init__(self) -> None:
        self._now = BEGINNING

    def now(self) -> datetime:
        return self._now

    def move(self, by: timedelta) -> None:
        self._now += by


class CountedIds:
    """The same ids in every run, in the order they were made."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._count = 0

    def new(self) -> str:
        self._count += 1
        id = f"{self._count:032x}"
        self._stage.thread().made.append(id)
        return id


@dataclass
class Step:
    """Something somebody does: to the market, or behind its back (`act` is None then)."""

    name: str
    act: Callable[[Market], Awaitable[object]] | None
    script: Callable[[], Script]
    due: Due | None = None
    after: Callable[[object], None] | None = None

    def thread(self, *, loose: bool = False) -> Thread:
        if self.due is not None:
            return Sweeping(self.name, self.script(), self.due)
        return Thread(self.name, self.script(), loose=loose)


@dataclass
class World:
    seed: int
    settings: Settings
    db: StagedDatabase
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 # it is to be repeated
        self.clock = SteppedClock()
        self.stage = Stage(random.Random(self.seed + 1), self._tick)  # noqa: S311
        self.db.stage = self.stage
        self.plain = Database(self.db.pool)  # for whoever looks on: no turns, no deaths
        self.ids = CountedIds(self.stage)
        faults = random.Random(self.seed + 2)  # noqa: S311
        # Every other world's gateway is like V2, the others' like V1.
        repeats = self.seed % 2 == 0
        self.gateway = SimulatedGateway(
            self.stage, faults, self.clock, repeats_answers=repeats, weather=CALM
        )
        terms = self.settings
        self.model = Model(
            self.clock, terms.hold, terms.deposit, terms.fee_bps, terms.refunds_per_payment, repeats
        )
        self.protocol = Protocol(self.model)
        self.market = self._started()
        self.members = [
            MemberSummary(MemberId(f"{n:032x}"[::-1]), f"m{n}") for n in range(1, MEMBERS + 1)
        ]
        self.deaths = 0
        self.met: Counter[str] = Counter()

    def _started(self) -> Market:
        gateways = Gateways(self.gateway)
        return assemble(
            self.settings, self.db, gateways, self.clock, self.ids, pause=self.stage.pause
        )

    def _tick(self) -> None:
        """Time passes in the middle of a step: mostly little, now and then a hold's worth."""
        most = self.rng.choice((2, 2, 2, 700))
        self.clock.move(timedelta(microseconds=self.rng.randint(1, most * 1_000_000)))

    async def people(self) -> None:
        """Members who never sign in, so that no password need be hashed."""
        for person in self.members:
            await self.plain.execute(
                """
                INSERT INTO members (id, email, nickname, password_hash, created_at)
                VALUES ($1, $2, $3, '', $4)
                """,
                person.id,
                f"{person.nickname}@example.com",
                person.nickname,
                BEGINNING,
            )

    # ── doing ──

    async def do(self, *steps: Step, storm: bool = False) -> None:
        """One step, or several at once; then, if the process died of it, starts it again."""
        self.told.append(" ∥ ".join(step.name for step in steps))
        self.stage.threads = []
        threads = [step.thread(loose=storm) for step in steps]
        doing = [self._perform(s, t) for s, t in zip(steps, threads, strict=True)]
        if storm:
            answers = await self.stage.storm(doing)
        elif len(steps) > 1 or steps[0].due is not None:
            answers = await self.stage.run(doing)
        else:
            answers = [await doing[0]]
        self.stage.dies_in = None
        if self.stage.diverged is not None:
            raise self.stage.diverged
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        self.met.update(str(answer) for answer in answers)
        self.told[-1] = " ∥ ".join(f"{t.name} → {a}" for t, a in zip(threads, answers, strict=True))
        if self.stage.dead:
            self.stage.dead = False
            self.deaths += 1
            self.market = self._started()
            return
        for thread in self.stage.threads:
            if thread.expects not in {None, ANYTHING}:
                raise Diverged(f"{thread.name}: ended before it came to {thread.expects}")

    async def _perform(self, step: Step, thread: Thread) -> str:
        self.stage.enter(thread)
        assert step.act is not None
        try:
            await self.stage.start()
            result = await step.act(self.market)
        except Died:
            return "died"
        except MarketError as refusal:
            if self.stage.diverged is None:
                _same_refusal(thread, refusal.code)
            return refusal.code
        if isinstance(thread.ending, Refused):
            raise Diverged(f"{thread.name}: allowed what must be refused: {thread.ending.code}")
        status = getattr(result, "status", None)
        if thread.ending is not None and status != thread.ending:
            raise Diverged(f"{thread.name}: answered {status}, expected {thread.ending}")
        if step.after is not None:
            step.after(result)
        return str(status) if status is not None else "done"

    # ── comparing ──

    async def agree(self, also: Set[tuple[str, str]] | None = None) -> None:
        """Every row is what the model says.

        `also` are the incidents that strangers' money must have left when all has been compared;
        before, it may have.
        """
        for table, (sql, modelled) in self._tables().items():
            rows = {tuple(row) for row in await self.plain.fetch(sql)}
            strangers: Set[tuple[object, ...]] = set()
            if table == "incidents":
                strangers = {r for r in rows if r[0] == "unknown_here"} if also is None else also
                # A process may die between what it saw and telling of it.
                strangers |= {r for r in rows if r in self.model.senseless}
            expected = modelled | strangers
            if rows != expected:
                raise Diverged(
                    f"{table}: the market has {sorted(map(str, rows - expected))}, "
                    f"the model {sorted(map(str, expected - rows))}"
                )

    def _tables(self) -> dict[str, tuple[str, set[tuple[object, ...]]]]:
        m = self.model
        return {
            "products": (
                "SELECT id, seller_id, price, quantity, taken, confirmed, revision FROM products",
                {
                    (p.id, p.seller, p.price, p.quantity, p.taken, p.confirmed, p.revision)
                    for p in m.products.values()
                },
            ),
            "trades": (
                """SELECT id, product_id, buyer_id, price, fee, hold_expires_at, status, payment_id,
                          cancel_by, refunded, refunding FROM trades""",
                {
                    (
                        *(t.id, t.product.id, t.buyer, t.price, t.fee, t.hold_until, t.status),
                        *(t.paid_by and t.paid_by.id, t.cancel_by, t.refunded, t.refunding),
                    )
                    for t in m.trades.values()
                },
            ),
            "payments": (
                """SELECT id, trade_id, method, bank, status, captured_amount, captured_currency,
                          cancelled_amount, account_number IS NOT NULL, look_at, registered,
                          issuing_until, coalesce(order_id, id), reference, used_method, transfer
                   FROM payments""",
                {
                    (
                        *(p.id, p.trade.id, *p.means, p.status, *(p.captured or (None, None))),
                        *(p.cancelled, p.has_account, p.look_at, p.registered, p.issuing_until),
                        *(p.order[0].id, p.reference, p.used, p.transfer),
                    )
                    for p in m.payments.values()
                },
            ),
            "cancellations": (
                """SELECT id, payment_id, amount, balance, asked_by, status, tries, try_at, answers,
                          sent_at, lost_at, taken_up_at, settled_at,
                          refund_account IS NOT NULL, given_up_by IS NOT NULL
                   FROM cancellations""",
                {
                    (
                        *(c.id, c.payment.id, c.amount, c.balance, c.by, c.status, c.tries),
                        *(c.try_at, c.answers, c.sent_at, c.lost_at, c.taken_up_at, c.settled_at),
                        *(c.account, c.given_up),
                    )
                    for c in m.cancellations.values()
                },
            ),
            "transfers": (
                "SELECT kind, source, debit, credit, amount, currency FROM transfers",
                {(*key, *booked) for key, booked in m.ledger.items()},
            ),
            "webhooks": (
                """SELECT row_number() OVER (ORDER BY id) - 1, payment_id, tries, try_at,
                          handled_at IS NOT NULL FROM webhooks""",
                {(n, h.about, h.tries, h.try_at, h.handled) for n, h in enumerate(m.hints)},
            ),
            "incidents": ("SELECT kind, subject FROM incidents", set(m.incidents)),
        }

    def census(self) -> Counter[str]:
        """What was met on the way, by kind: answers, incidents, transfers, how trades ended."""
        m = self.model
        self.met.update(f"incident {kind}" for kind, _ in m.incidents)
        self.met.update(f"transfer {kind} of {row[0]}" for (kind, _), row in m.ledger.items())
        self.met.update(f"trade {trade.status}" for trade in m.trades.values())
        self.met.update(f"cancellation {asked.status}" for asked in m.cancellations.values())
        self.met["trade revived"] = m.revived
        return self.met

    async def digest(self) -> str:
        """One short word for all that was done and written, but for the database's own clock."""
        found = hashlib.sha256("\n".join(self.told).encode())
        for table, (sql, _) in self._tables().items():
            rows: Sequence[Row] = await self.plain.fetch(sql)
            found.update(f"{table}{sorted(map(str, map(tuple, rows)))}".encode())
        return found.hexdigest()[:16]


def _same_refusal(thread: Thread, code: str) -> None:
    if not isinstance(thread.ending, Refused):
        raise Diverged(f"{thread.name}: refused ({code}), expected: {thread.ending or 'yes'}")
    if thread.ending.code != code and not thread.loose:
        raise Diverged(f"{thread.name}: refused with {code}, expected {thread.ending.code}")
