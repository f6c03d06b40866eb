"""Rate limits hold for all processes together, and lock nobody out."""

import asyncio
from datetime import timedelta
from itertools import count

import pytest

from market.kit.db.database import Database
from market.kit.security.rate_limits import NoRateLimits, SqlRateLimits
from market.members.auth import throttling
from market.members.auth.throttling import AuthThrottle
from market.shared.errors import RateLimited
from market.shared.rate_limit import RateLimit
from tests.support.clock import MovableClock

SECRET = "s" * 32
FIVE = RateLimit(5, timedelta(seconds=50))
TWO = RateLimit(2, timedelta(seconds=50))


@pytest.fixture
def limits(db: Database, clock: MovableClock) -> SqlRateLimits:
    return SqlRateLimits(db, clock, SECRET)


@pytest.fixture
def throttle(limits: SqlRateLimits) -> AuthThrottle:
    return AuthThrottle(limits)


async def let_in(limits: SqlRateLimits, limit: RateLimit, key: str, attempts: int) -> int:
    """How many of so many attempts pass."""
    passed = 0
    for _ in range(attempts):
        try:
            await limits.take([(limit, key)])
        except RateLimited:
            continue
        passed += 1
    return passed


async def test_a_burst_passes_and_then_one_each_interval(
    limits: SqlRateLimits, clock: MovableClock
) -> None:
    assert await let_in(limits, FIVE, "a", 9) == 5
    clock.move(seconds=9)
    assert await let_in(limits, FIVE, "a", 3) == 0
    clock.move(seconds=1)
    assert await let_in(limits, FIVE, "a", 3) == 1
    clock.move(seconds=25)
    assert await let_in(limits, FIVE, "a", 9) == 2
    clock.move(hours=1)
    assert await let_in(limits, FIVE, "a", 9) == 5


async def test_who_is_refused_hears_exactly_how_long_to_wait(
    limits: SqlRateLimits, clock: MovableClock
) -> None:
    await let_in(limits, FIVE, "a", 5)
    clock.move(seconds=3)
    with pytest.raises(RateLimited) as refused:
        await limits.take([(FIVE, "a")])
    assert refused.value.retry_after == 7
    clock.move(seconds=refused.value.retry_after)
    assert await let_in(limits, FIVE, "a", 2) == 1


async def test_being_refused_does_not_lengthen_the_wait(
    limits: SqlRateLimits, clock: MovableClock
) -> None:
    await let_in(limits, FIVE, "a", 500)
    clock.move(seconds=10)
    assert await let_in(limits, FIVE, "a", 1) == 1


@pytest.mark.parametrize("limit", [FIVE, TWO])
async def test_a_clock_that_is_put_back_keeps_nobody_out(
    limits: SqlRateLimits, clock: MovableClock, limit: RateLimit
) -> None:
    """Nor does it give anybody a whole new burst."""
    await let_in(limits, limit, "a", 1)
    clock.move(hours=-1)
    assert await let_in(limits, limit, "a", 3) == 1
    with pytest.raises(RateLimited) as refused:
        await limits.take([(limit, "a")])
    assert refused.value.retry_after == limit.emission_interval.total_seconds()
    clock.move(seconds=refused.value.retry_after)
    assert await let_in(limits, limit, "a", 3) == 1


async def test_signing_in_survives_a_clock_that_is_put_back(
    throttle: AuthThrottle, clock: MovableClock
) -> None:
    await throttle.sign_in("192.0.2.1", "a@example.com")
    for back in (60, 3_600, 86_400):
        clock.move(seconds=-back)
        await throttle.sign_in("192.0.2.1", "a@example.com")


async def test_hosts_whose_clocks_differ_a_little_count_together(
    db: Database, clock: MovableClock
) -> None:
    ahead = MovableClock()
    ahead.move(seconds=2)
    here, there = SqlRateLimits(db, clock, SECRET), SqlRateLimits(db, ahead, SECRET)
    assert await let_in(there, FIVE, "a", 9) == 5
    assert await let_in(here, FIVE, "a", 9) == 0


async def test_keys_do_not_count_for_each_other(limits: SqlRateLimits) -> None:
    assert await let_in(limits, FIVE, "a", 9) == 5
    assert await let_in(limits, FIVE, "b", 9) == 5


async def test_two_processes_and_a_crowd_at_once_pass_no_more_than_the_limit(
    db: Database, dsn: str, clock: MovableClock
) -> None:
    other_db = await Database.connect(dsn, size=20, name="another process")
    both = [SqlRateLimits(one, clock, SECRET) for one in (db, other_db)]
    keys = [
        (RateLimit(15, timedelta(hours=1)), "pair"),
        (RateLimit(10, timedelta(hours=1)), "wide"),
    ]
    attempts = [both[n % 2].take(keys) for n in range(200)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    await other_db.close()
    assert [a for a in answers if a is not None and not isinstance(a, RateLimited)] == []
    assert answers.count(None) == 10


async def test_a_turn_costs_one_statement(db: Database, clock: MovableClock) -> None:
    asked: list[str] = []

    class Wire:
        """Notes what is sent."""

        async def fetch_one(self, sql: str, *args: object) -> object:
            asked.append(sql)
            return await db.fetch_one(sql, *args)

    watched = SqlRateLimits(Wire(), clock, SECRET)  # type: ignore[arg-type] # all it uses of one
    await watched.take([(FIVE, "a"), (FIVE, "b"), (FIVE, "c")])
    assert len(asked) == 1


async def test_who_used_up_a_narrow_limit_does_not_wear_out_the_wide_one(
    limits: SqlRateLimits,
) -> None:
    for _ in range(10):
        try:
            await limits.take([(TWO, "narrow"), (FIVE, "wide")])
        except RateLimited:
            continue
    assert await let_in(limits, FIVE, "wide", 9) == 3


async def test_what_was_taken_stays_taken_though_the_request_fails(
    limits: SqlRateLimits, db: Database
) -> None:
    await let_in(limits, FIVE, "a", 5)
    # Another connection sees it: it is committed, whatever becomes of what follows.
    assert await db.fetch_value("SELECT count(*) FROM rate_limits") == 1


async def test_neither_addresses_nor_accounts_are_kept(
    throttle: AuthThrottle, db: Database, clock: MovableClock
) -> None:
    await throttle.sign_in("192.0.2.7", "bora@example.com")
    kept = b"".join(row["key"] for row in await db.fetch("SELECT key FROM rate_limits"))
    assert len(kept) == 3 * 32
    await AuthThrottle(SqlRateLimits(db, clock, "another secret")).sign_in(
        "192.0.2.7", "bora@example.com"
    )
    assert await db.fetch_value("SELECT count(*) FROM rate_limits") == 6, (
        "anybody could reckon them out"
    )


async def test_keys_that_are_free_again_are_forgotten(
    limits: SqlRateLimits, db: Database, clock: MovableClock
) -> None:
    await let_in(limits, FIVE, "a", 5)
    clock.move(seconds=45)
    await let_in(limits, FIVE, "b", 1)
    clock.move(seconds=6)
    assert await limits.purge_expired() == 1
    assert await db.fetch_value("SELECT count(*) FROM rate_limits") == 1


async def until_refused(throttle: AuthThrottle, address: str, email: str) -> int:
    for passed in count():
        try:
            await throttle.sign_in(address, email)
        except RateLimited:
            return passed
    raise AssertionError


async def test_one_stranger_can_not_lock_a_member_out(throttle: AuthThrottle) -> None:
    narrow = throttling.SIGN_IN_FROM_ADDRESS_TO_ACCOUNT.burst
    for _ in range(throttling.SIGN_IN_TO_ACCOUNT.burst):
        assert await until_refused(throttle, "192.0.2.66", "bora@example.com") in {narrow, 0}
    await throttle.sign_in("198.51.100.1", "bora@example.com")


async def test_many_strangers_are_slowed_down_and_the_member_waits_seconds(
    throttle: AuthThrottle, clock: MovableClock
) -> None:
    guessed = 0
    for n in range(30):
        guessed += await until_refused(throttle, f"192.0.2.{n}", "bora@example.com")
    assert guessed == throttling.SIGN_IN_TO_ACCOUNT.burst
    with pytest.raises(RateLimited) as refused:
        await throttle.sign_in("198.51.100.1", "bora@example.com")
    assert refused.value.retry_after <= 18
    clock.move(seconds=refused.value.retry_after)
    await throttle.sign_in("198.51.100.1", "bora@example.com")


async def test_one_address_can_not_try_every_account(throttle: AuthThrottle) -> None:
    passed = 0
    for n in range(200):
        try:
            await throttle.sign_in("192.0.2.1", f"m{n}@example.com")
        except RateLimited:
            break
        passed += 1
    assert passed == throttling.SIGN_IN_FROM_ADDRESS.burst


async def test_an_account_is_one_however_it_is_spelled(throttle: AuthThrottle) -> None:
    assert await until_refused(throttle, "192.0.2.1", "bora@example.com") == 20
    assert await until_refused(throttle, "192.0.2.1", " BORA@Example.com") == 0


async def test_limits_can_be_lifted() -> None:
    for _ in range(500):
        await AuthThrottle(NoRateLimits()).sign_in("192.0.2.1", "bora@example.com")
