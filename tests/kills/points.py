"""The points at which a process can be made to die, and how it is told to.

A file names the one point that is armed. The process that passes it for the n-th time renames the
file, so that nobody dies there twice, and ends as by `kill -9`.
"""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ARMED = "KILLS_ARMED"
ROLE = "KILLS_ROLE"

_COMMITS = {
    "server": (
        "TradeService.buy_all",
        "TradeService.approve",
        "TradeService.confirm",
        "Idempotency._leased",
        "PaymentService._open_payment",
        "PaymentService._lease_issue",
        "PaymentService.synchronize",
        "RefundService.cancel_purchase",
        "RefundService._send_back",
        "RefundService._begin_try",
        "SqlInbox.add",
        "Idempotency._keep_all",
    ),
    "worker": (
        "PaymentService.synchronize",
        "RefundService._begin_try",
        "RefundService.expire_hold",
        "SqlInbox.waiting",
        "SqlCancellations.due",
    ),
}
_CALLS = {
    "server": ("register", "look", "issue_account", "close_account", "cancel"),
    "worker": ("look", "cancel"),
}
_RARE = {"TradeService.approve", "TradeService.confirm", "close_account"}
SIDES = ("before", "after")


@dataclass(frozen=True)
class Point:
    """Before or after a commit, or a call of the gateway, in one kind of process."""

    role: str
    name: str

    @property
    def is_rare(self) -> bool:
        """Whether a round may pass it but once."""
        return self.role == "worker" or self.name.rpartition(" ")[2] in _RARE

    def __str__(self) -> str:
        return f"{self.role}: {self.name}"


POINTS = tuple(
    Point(role, f"{side} {what}")
    for role in _COMMITS
    for what in (
        *(f"the commit of {name}" for name in _COMMITS[role]),
        *(f"the gateway's {name}" for name in _CALLS[role]),
    )
    for side in SIDES
)

_passed: Counter[str] = Counter()


def arm(file: Path, point: Point, nth: int, round: int) -> None:
    """Lets whoever passes the point for the nth time in this round die there."""
    draft = file.with_suffix(".draft")
    draft.write_text(f"{point}\n{nth}\n{round}")
    draft.rename(file)


def disarm(file: Path) -> bool:
    """Nobody dies any more; whether somebody had."""
    reached = not file.exists()
    file.unlink(missing_ok=True)
    return reached


def reach(name: str) -> None:
    """Dies, if it is time."""
    file = Path(os.environ[ARMED])
    try:
        text = file.read_text()
    except FileNotFoundError:
        return
    point, nth, _ = text.split("\n")
    if point != str(Point(os.environ[ROLE], name)):
        return
    _passed[text] += 1
    if _passed[text] == int(nth):
        try:
            file.rename(file.with_suffix(".fallen"))
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
