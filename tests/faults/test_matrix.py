"""Whatever goes wrong once with one call or one webhook: the purchase ends like one with which
nothing went wrong, down to the last line of the ledger, within one sweep."""

from datetime import timedelta

import pytest

from market.verify import broken

from .cells import (
    CALL_FAULTS,
    EARLY,
    LATE,
    LATE_S,
    ON_TIME,
    ONLY_COMPARED,
    REORDERED,
    RETRY_S,
    STEPS,
    TOLD,
    VERSIONS,
    WEBHOOK_FAULTS,
    CallFault,
    Healed,
    Step,
    Told,
    WebhookFault,
)
from .shop import Outcome, Shop, Town
from .table import Matrix, exists

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def quiet_step(town: Town, step: Step, version: str) -> Outcome:
    """How it ends when nothing goes wrong."""
    shop = await town.open(version)
    for deed in (*step.before, step.act, *step.after):
        await deed(shop)
    return await shop.outcome()


@pytest.fixture(scope="session")
def known() -> dict[tuple[str, str], Outcome]:
    """The quiet runs so far."""
    return {}


@pytest.mark.parametrize("fault", CALL_FAULTS, ids=lambda fault: fault.title)
@pytest.mark.parametrize(
    ("step", "version"),
    [
        pytest.param(step, version, id=f"{step.title}-{version}")
        for step in STEPS
        for version in VERSIONS
        if exists(step, version)
    ],
)
async def test_a_call_that_goes_wrong_once_changes_no_ending(
    town: Town,
    matrix: Matrix,
    known: dict[tuple[str, str], Outcome],
    step: Step,
    version: str,
    fault: CallFault,
) -> None:
    if (step.title, version) not in known:
        known[step.title, version] = await quiet_step(town, step, version)
    expected = known[step.title, version]

    shop = await town.open(version)
    for deed in step.before:
        await deed(shop)
    if step.just_started:
        shop.market = town.assembled(version)
    fault.strike(shop, *step.calls[version])
    took = Healed.AT_ONCE
    answered = await shop.tries(step.act)
    assert shop.portone.control("GET", "faults")["items"] == [], "nothing was struck"
    await fault.pass_over(shop)
    if step.pressed_again and not answered:
        took = Healed.REPEAT
        await step.act(shop)
    for deed in step.after:
        await deed(shop)
    if await shop.outcome() != expected:
        took = Healed.SWEEP
    shop.time_passes(seconds=RETRY_S)
    await shop.market.sweep.everything()
    assert await shop.outcome() == expected
    matrix.note(step.title, fault.title, version, took)


async def run_told(shop: Shop, told: Told, fault: WebhookFault, *, followed: bool) -> None:
    """Lets it happen, with one webhook that goes wrong."""
    for deed in told.before:
        await deed(shop)
    shop.portone.settle()
    shop.town.receiver.received.clear()  # of what came before, enough was told
    if fault.fault is not None:
        shop.portone.fault(
            fault.fault, seconds=LATE_S, version=shop.version, event=told.names[shop.version]
        )
    if fault is EARLY:
        await overtaken(shop, told)
    else:
        await told.event(shop)
        if fault.fault is not None:
            assert shop.portone.control("GET", "faults")["items"] == [], "nothing was struck"
    await shop.webhooks_arrive()
    for deed in told.after if followed else ():
        await deed(shop)
        await shop.webhooks_arrive()


async def overtaken(shop: Shop, told: Told) -> None:
    """The webhook comes, and is handled, while the answer to our own call is on its way."""
    if told.asks is not None:
        await told.event(shop)
    shop.wire.hold(*told.overtakes[shop.version], shop.webhooks_arrive)
    await (told.asks or told.event)(shop)
    assert not shop.wire.is_holding, "nothing was overtaken"


@pytest.mark.parametrize("fault", WEBHOOK_FAULTS, ids=lambda fault: fault.title)
@pytest.mark.parametrize(
    ("told", "version"),
    [
        pytest.param(told, version, id=f"{told.title}-{version}")
        for told in TOLD
        for version in VERSIONS
        if exists(told, version)
    ],
)
async def test_a_webhook_that_goes_wrong_changes_no_ending(
    town: Town,
    matrix: Matrix,
    known: dict[tuple[str, str], Outcome],
    told: Told,
    version: str,
    fault: WebhookFault,
) -> None:
    # By itself, so that no later one makes up for it; unless it is to come after that one.
    followed = fault is REORDERED
    story = told.title + (" and followed" if followed else "")
    if (story, version) not in known:
        shop = await town.open(version)
        await run_told(shop, told, ON_TIME, followed=followed)
        known[story, version] = await shop.outcome()
    expected = known[story, version]

    shop = await town.open(version)
    began = town.clock.now().replace(microsecond=0)
    await run_told(shop, told, fault, followed=followed)
    took = Healed.AT_ONCE if await shop.outcome() == expected else Healed.SWEEP
    shop.time_passes(seconds=RETRY_S)
    await shop.market.sweep.everything()
    if (told.title, fault.title) in ONLY_COMPARED:
        took = Healed.COMPARISON
        await shop.market.comparison.between(began, began + timedelta(seconds=30))
    if fault is LATE:
        if await shop.outcome() != expected:
            took = Healed.ARRIVAL
        shop.portone.advance(seconds=LATE_S)
        await shop.webhooks_arrive()
    assert await shop.outcome() == expected
    matrix.note(told.title, fault.title, version, took)


async def test_both_versions_end_alike(known: dict[tuple[str, str], Outcome]) -> None:
    """Of what has run in this session; the whole matrix, when all of it did."""
    for (title, _), outcome in known.items():
        assert outcome == known.get((title, "V2"), outcome), title


async def test_the_books_agree_with_all_that_has_happened(town: Town) -> None:
    """Of what has run in this session, too."""
    assert await broken(town.db) == []
