"""What members have before their eyes: pages that were opened a while ago."""

import random
from dataclasses import dataclass, field


@dataclass
class Screens:
    """Who looked at what, and how it stood then. Meanwhile the other party may have changed it:
    whoever acts agrees to what they saw, not to what has become of it."""

    rng: random.Random
    pages: dict[tuple[str, str], int] = field(default_factory=dict)

    def shown(self, member: str, about: str, now: int) -> int:
        """What a member reads of something, on a page that is new or still open."""
        page = (member, about)
        if page not in self.pages or self.rng.random() < 0.6:
            self.pages[page] = now
        return self.pages[page]

    def agreed(self, member: str, about: str, now: int) -> int | None:
        """What a member agrees to: mostly what they read, seldom anything, or something else."""
        read = self.shown(member, about, now)
        return self.rng.choices((read, None, max(1, read - 1)), (12, 3, 1))[0]
