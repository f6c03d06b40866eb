"""The cells of the matrix: each step of paying and cancelling, each thing that can go wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from .shop import HASTE, MINE, MORE, PART, Shop

Story = Callable[[Shop], Awaitable[None]]
Calls = Mapping[str, tuple[str, str]]
VERSIONS = ("V1", "V2")

# By then a payment, a refund or a webhook that was left is due once more, and no hold has ended.
RETRY_S = 61
HOLD_S = 601
DEPOSIT_H = 24


class Healed(StrEnum):
    """What it took to end like the quiet run."""

    AT_ONCE = "at once"
    REPEAT = "repeat"
    SWEEP = "sweep"
    ARRIVAL = "arrival"
    COMPARISON = "comparison"


# ── faults of calls ──


@dataclass(frozen=True)
class CallFault:
    """What goes wrong with one call. `effect` is what the sandbox is told of it: whether the call
    is carried out all the same, None for as the fault has it by itself."""

    title: str
    fault: str
    effect: bool | None = None
    seconds: float | None = None

    def strike(self, shop: Shop, method: str, path: str) -> None:
        """Hits the next such call. A slow answer outlasts a short patience."""
        match = {"version": shop.version, "method": method, "path": path}
        rule = {"fault": self.fault, "match": match, "effect": self.effect, "seconds": self.seconds}
        shop.portone.control("POST", "faults", rule, 201)
        if self.fault == "slow":
            shop.market = shop.town.assembled(shop.version, HASTE)
            shop.wire.slow = method, path

    async def pass_over(self, shop: Shop) -> None:
        """Returns when what was struck has ended, and nothing is slow any more."""
        shop.wire.slow = None
        await shop.wire.silent()
        shop.market = shop.town.market(shop.version)


CALL_FAULTS = (
    CallFault("lost before", "timeout_before"),
    CallFault("lost after", "timeout_after"),
    CallFault("500, undone", "error_500"),
    CallFault("500, done", "error_500", effect=True),
    CallFault("429", "error_429"),
    CallFault("garbage", "garbage"),
    CallFault("slow", "slow", seconds=0.25),
)


# ── steps that call the gateway ──


@dataclass(frozen=True)
class Step:
    """What is struck (`act`, at the call each version has for it; none in a version that is not
    named), what comes before and after in peace, whether the buyer, told that it did not work,
    presses again, and whether the process that is struck was just started."""

    title: str
    act: Story
    calls: Calls
    before: tuple[Story, ...] = ()
    after: tuple[Story, ...] = ()
    pressed_again: bool = False
    just_started: bool = False


async def pay(shop: Shop) -> None:
    await shop.pay()


async def authenticate(shop: Shop) -> None:
    await shop.pay(channel_key="channel-key-sandbox-v2-manual")


async def refund_to_account(shop: Shop) -> None:
    await shop.call_off(MINE)


async def refund_part_to_account(shop: Shop) -> None:
    await shop.take_part_back(MINE)


async def sweep_payments(shop: Shop) -> None:
    shop.time_passes(seconds=RETRY_S)
    await shop.market.sweep.payments()


async def run_out(shop: Shop) -> None:
    shop.time_passes(seconds=HOLD_S)
    await shop.market.sweep.holds()


async def run_out_of_deposit_time(shop: Shop) -> None:
    shop.time_passes(hours=DEPOSIT_H, seconds=1)
    await shop.market.sweep.holds()


CARD_BEGUN = (Shop.start_by_card,)
CARD_PAID = (Shop.start_by_card, pay, Shop.come_back)
ISSUED = (Shop.start_by_account,)
DEPOSITED = (Shop.start_by_account, Shop.deposit, Shop.come_back)

LOOK = {"V1": ("GET", "/payments/findAll/*"), "V2": ("GET", "/payments/*")}
# V2's payment shows one attempt of several: the others are asked for by another call.
LOOK_BESIDES = {"V2": ("GET", "/payments/*/transactions")}
ISSUE = {"V1": ("POST", "/vbanks"), "V2": ("POST", "/payments/*/instant")}
CLOSE = {"V1": ("DELETE", "/vbanks/*"), "V2": ("POST", "/payments/*/virtual-account/close")}
CANCEL = {"V1": ("POST", "/payments/cancel"), "V2": ("POST", "/payments/*/cancel")}

STEPS = (
    Step(
        "card: register the amount",
        Shop.start_by_card,
        {"V1": ("POST", "/payments/prepare"), "V2": ("POST", "/payments/*/pre-register")},
        after=(pay, Shop.come_back),
        pressed_again=True,
    ),
    Step(
        "card: get a token",
        Shop.come_back,
        {"V1": ("POST", "/users/getToken")},
        before=(*CARD_BEGUN, pay),
        just_started=True,
    ),
    Step("card: look, told by the buyer", Shop.come_back, LOOK, before=(*CARD_BEGUN, pay)),
    Step(
        "card: look at every attempt",
        Shop.come_back,
        LOOK_BESIDES,
        before=(*CARD_BEGUN, pay),
    ),
    Step("card: look, unasked", sweep_payments, LOOK, before=(*CARD_BEGUN, pay)),
    Step("card: look as the hold runs out", run_out, LOOK, before=CARD_BEGUN),
    Step(
        "card: charge by manual approval",
        Shop.come_back,
        {"V2": ("POST", "/payments/*/confirm")},
        before=(*CARD_BEGUN, authenticate),
        pressed_again=True,
    ),
    Step("card: cancel in full", Shop.call_off, CANCEL, before=CARD_PAID),
    Step("card: cancel in part", Shop.take_part_back, CANCEL, before=CARD_PAID),
    Step("card: look after a cancellation", Shop.call_off, LOOK, before=CARD_PAID),
    Step(
        "account: look before it is issued",
        Shop.start_by_account,
        LOOK,
        after=(Shop.deposit, Shop.come_back),
        pressed_again=True,
    ),
    Step(
        "account: issue",
        Shop.start_by_account,
        ISSUE,
        after=(Shop.deposit, Shop.come_back),
        pressed_again=True,
    ),
    Step(
        "account: look, told of the deposit",
        Shop.webhooks_arrive,
        LOOK,
        before=(*ISSUED, Shop.webhooks_arrive, Shop.deposit),
    ),
    Step("account: close, called off", Shop.call_off, CLOSE, before=ISSUED),
    Step("account: close, run out", run_out_of_deposit_time, CLOSE, before=ISSUED),
    Step("account: refund in full", refund_to_account, CANCEL, before=DEPOSITED),
    Step("account: refund in part", refund_part_to_account, CANCEL, before=DEPOSITED),
    Step("account: look after a refund", refund_to_account, LOOK, before=DEPOSITED),
)


# ── webhooks ──


@dataclass(frozen=True)
class WebhookFault:
    """What goes wrong with one webhook; without a `fault` of the sandbox's, it is only early."""

    title: str
    fault: str | None = None


ON_TIME = WebhookFault("on time")
EARLY = WebhookFault("before the answer")
REORDERED = WebhookFault("reordered", "reorder")
LATE = WebhookFault("late", "delay")
WEBHOOK_FAULTS = (
    WebhookFault("dropped", "drop"),
    WebhookFault("doubled", "duplicate"),
    LATE,
    EARLY,
    REORDERED,
    WebhookFault("forged", "forge"),
)
LATE_S = 30


@dataclass(frozen=True)
class Told:
    """An event that webhooks alone tell of: how it comes about after `before`, how each version
    names it, the call whose answer it may overtake, and what can follow, so that a webhook comes
    after the next one."""

    title: str
    event: Story
    names: Mapping[str, str]
    overtakes: Calls
    asks: Story | None
    before: tuple[Story, ...] = ()
    after: tuple[Story, ...] = ()


async def part_back_in_the_console(shop: Shop) -> None:
    await shop.console_cancels(PART)


async def more_back_in_the_console(shop: Shop) -> None:
    await shop.console_cancels(MORE)


PAID = {"V1": "paid", "V2": "Transaction.Paid"}
PARTLY_BACK = {"V1": "cancelled", "V2": "Transaction.PartialCancelled"}
NEXT = (part_back_in_the_console,)

CARD_CONSOLE = "card: part cancelled in the console"
ACCOUNT_CONSOLE = "account: part cancelled in the console"
# A payment that was paid is looked at unasked once a day, and nothing else tells of a console: the
# comparison of the following night finds it first.
ONLY_COMPARED = {(CARD_CONSOLE, "dropped"), (ACCOUNT_CONSOLE, "dropped")}

TOLD = (
    Told(
        "card: paid",
        pay,
        PAID,
        LOOK,
        Shop.come_back,
        before=CARD_BEGUN,
        after=NEXT,
    ),
    Told(
        "account: issued",
        Shop.start_by_account,
        {"V1": "ready", "V2": "Transaction.VirtualAccountIssued"},
        ISSUE,
        None,
        after=(Shop.deposit,),
    ),
    Told(
        "account: deposited",
        Shop.deposit,
        PAID,
        LOOK,
        Shop.come_back,
        before=ISSUED,
        after=NEXT,
    ),
    Told(
        CARD_CONSOLE,
        part_back_in_the_console,
        PARTLY_BACK,
        LOOK,
        Shop.come_back,
        before=CARD_PAID,
        after=(more_back_in_the_console,),
    ),
    Told(
        ACCOUNT_CONSOLE,
        part_back_in_the_console,
        PARTLY_BACK,
        LOOK,
        Shop.come_back,
        before=DEPOSITED,
        after=(more_back_in_the_console,),
    ),
    Told(
        "card: part cancelled by us",
        Shop.take_part_back,
        {"V2": "Transaction.PartialCancelled"},
        CANCEL,
        None,
        before=CARD_PAID,
        after=(Shop.call_off,),
    ),
)
