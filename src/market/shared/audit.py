"""The audit log of operators, as a port."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`actor` (a member's id, or a name given in a shell) did `act` to `subject`, for `reason`. A
    subject has a type and an id: "payment 0f…"."""

    id: int
    at: datetime
    actor: str
    act: str
    subject: str
    subject_type: str
    subject_id: str
    reason: str


class Audit(Protocol):
    """Keeps operators' acts for good: each in the transaction of its effects."""

    async def record(self, actor: str, act: str, subject: str, reason: str) -> None:
        """`reason` is not empty: the database refuses an act without one."""
        ...

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """The newest first, those with an id below `before`."""
        ...
