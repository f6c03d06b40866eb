"""Time, as a port: nothing in the market asks the machine for it directly."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The current moment, in UTC and aware of it."""
        ...


def is_ahead(until: datetime, now: datetime, at_most: timedelta) -> bool:
    """Whether `until`, which was set `at_most` ahead, is still to come. What is further away was
    set before the clock was put back, and would be waited for too long."""
    return now < until <= now + at_most
