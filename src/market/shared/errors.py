"""Errors a caller can do something about: one root, one family per kind.

Each has a stable `code` and carries the ids it is about. The docstring is the message a client
reads. No error knows HTTP: `kit.http` maps kinds to statuses.
"""

from typing import ClassVar


class MarketError(Exception):
    """Something the market refuses to do."""

    code: ClassVar[str] = "market_error"

    def __init__(self, detail: str | None = None, **about: str | int) -> None:
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.about = about
        super().__init__(self.detail)


class Invalid(MarketError):
    """The request does not make sense."""

    code = "invalid_request"


class Unauthenticated(MarketError):
    """Sign in first."""

    code = "unauthenticated"


class Forbidden(MarketError):
    """This is not yours to do."""

    code = "forbidden"


class NotFound(MarketError):
    """There is no such thing, or it is not yours to see."""

    code = "not_found"


class Conflict(MarketError):
    """It is in no state that allows this."""

    code = "conflict"


class PreconditionFailed(MarketError):
    """It is no longer what the request was made for."""

    code = "precondition_failed"


class Unprocessable(MarketError):
    """The request can be read, but contradicts an earlier one."""

    code = "unprocessable"


class Unavailable(MarketError):
    """Too busy right now. Try again shortly."""

    code = "unavailable"


class GatewayTrouble(MarketError):
    """The payment gateway could not be reached or answered in no known way. Try again shortly."""

    code = "gateway_unavailable"


class InvalidTransition(Conflict):
    """Its present state does not allow this step."""

    code = "invalid_transition"


class VersionConflict(Unavailable):
    """Somebody else changed it in the same moment. Try again shortly."""

    code = "version_conflict"


class RateLimited(MarketError):
    """Too many attempts. Try again later."""

    code = "rate_limited"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(retry_after=retry_after)
        self.retry_after = retry_after
