"""Time, as a port: nothing in the market asks the machine for it directly."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The current moment, in UTC and aware of it."""
        ...
