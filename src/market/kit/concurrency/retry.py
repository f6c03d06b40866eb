"""Bounded, jittered retries, for named exceptions only."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

import stamina

from market.shared.errors import VersionConflict


def while_version_conflicts() -> AsyncIterator[AbstractContextManager[object]]:
    """Attempts at an optimistic update (R13): again as long as somebody else was faster.

    Of those who collide, one always wins, so 50 confirmations at the same instant need at most 50
    rounds; the jitter spreads them so that most need few. At most 100 attempts or 4 seconds.
    """
    return stamina.retry_context(
        on=VersionConflict,
        attempts=100,
        timeout=4.0,
        wait_initial=0.002,
        wait_jitter=0.02,
        wait_max=0.05,
    ).__aiter__()
