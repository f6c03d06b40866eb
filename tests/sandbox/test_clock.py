"""The clock: it runs, jumps, stands still, and survives a restart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .client import Client, Json
from .process import Receiver, running

_AT = "2030-05-01T00:00:00Z"


def _now(client: Client) -> datetime:
    return datetime.fromisoformat(client.control("GET", "clock")["now"])


def _is_near(one: datetime, other: datetime) -> bool:
    return abs(one - other) < timedelta(minutes=5)


def test_a_clock_that_stands_still_gives_two_payments_one_time(client: Client) -> None:
    shown = client.control("POST", "clock", {"freeze": True, "at": _AT})
    assert shown["frozen"] is True
    for name in ("still-1", "still-2"):
        client.v2_paid(name)
        assert client.v2_ok("GET", f"/payments/{name}")["paidAt"] == "2030-05-01T00:00:00.000Z"
    assert _now(client) == datetime(2030, 5, 1, tzinfo=UTC)


def test_it_stops_at_once_where_no_time_is_given(client: Client) -> None:
    before = _now(client)
    client.control("POST", "clock", {"freeze": True})
    assert _now(client) == _now(client) >= before


def test_a_clock_that_stands_still_is_moved_by_hand(client: Client) -> None:
    client.control("POST", "clock", {"freeze": True, "at": _AT})
    client.control("POST", "clock", {"advance_seconds": 90})
    assert _now(client) == datetime(2030, 5, 1, 0, 1, 30, tzinfo=UTC)
    client.control("POST", "clock", {"at": "2030-06-01T00:00:00Z"})
    assert _now(client) == datetime(2030, 6, 1, tzinfo=UTC)
    assert client.control("GET", "clock")["frozen"] is True


def test_it_runs_on_from_where_it_stood(client: Client) -> None:
    client.control("POST", "clock", {"freeze": True, "at": _AT})
    client.control("POST", "clock", {"freeze": False})
    assert client.control("GET", "clock")["frozen"] is False
    first = _now(client)
    assert _is_near(first, datetime(2030, 5, 1, tzinfo=UTC))
    while (second := _now(client)) == first:
        """A running clock leaves this within a millisecond."""
    assert second > first


def test_seconds_go_by_either_name(client: Client) -> None:
    start = client.control("GET", "clock")["offset_seconds"]
    client.control("POST", "clock", {"advance_seconds": 60})
    client.control("POST", "clock", {"advance": 60})
    assert client.control("GET", "clock")["offset_seconds"] - start == pytest.approx(120)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"at": _AT, "advance_seconds": 1},
        {"advance": 1, "advance_seconds": 1},
        {"freeze": "yes"},
        {"freeze": True, "advance_seconds": 1e300},
        {"freeze": True, "at": "0001-01-01T00:00:00+14:00"},
        {"freeze": True, "at": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_change_that_is_none_leaves_the_clock_alone(client: Client, body: Json) -> None:
    client.control("POST", "clock", body, status=400)
    assert client.control("GET", "clock") | {"now": ""} == {
        "now": "",
        "offset_seconds": 0.0,
        "frozen": False,
    }


def test_a_reset_starts_the_clock_unless_it_is_kept(client: Client) -> None:
    client.control("POST", "clock", {"freeze": True, "at": _AT})
    client.control("POST", "reset", {"keep": ["clock"]}, status=204)
    assert _now(client) == datetime(2030, 5, 1, tzinfo=UTC)
    client.control("POST", "reset", {}, status=204)
    assert client.control("GET", "clock")["frozen"] is False
    assert _is_near(_now(client), datetime.now(UTC))


def test_webhooks_fall_due_as_a_standing_clock_is_moved(client: Client, receiver: Receiver) -> None:
    client.set(v2_retry_jitter=1)
    client.control("POST", "clock", {"freeze": True, "at": _AT})
    receiver.statuses = [500]
    client.v2_paid("retried-later")
    (waiting,) = (sent for sent in client.sends() if sent["state"] == "pending")
    assert len(waiting["attempts"]) == 1
    client.control("POST", "clock", {"advance_seconds": 59})
    assert len(client.sends()[-1]["attempts"]) == 1
    client.control("POST", "clock", {"advance_seconds": 61})
    assert client.sends()[-1]["state"] == "delivered"


def test_a_standing_clock_stands_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.sqlite"
    with running(data) as process:
        client = Client(process.url)
        client.control("POST", "clock", {"freeze": True, "at": _AT})
        client.close()
    with running(data) as process:
        client = Client(process.url)
        assert _now(client) == datetime(2030, 5, 1, tzinfo=UTC)
        client.close()
