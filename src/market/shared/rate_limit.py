"""How often something may happen."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `burst` turns at once, and after that as many per `period`, evenly."""

    burst: int
    period: timedelta

    @property
    def emission_interval(self) -> timedelta:
        """How long one turn keeps its key busy."""
        return self.period / self.burst

    @property
    def burst_tolerance(self) -> timedelta:
        """How far ahead a key may be busy, and still have a turn to give."""
        return self.emission_interval * (self.burst - 1)
