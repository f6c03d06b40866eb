"""Errors a caller can do something about: one root, one family per kind.

Each has a stable `code`, a default `message` and the ids it concerns.
No error knows HTTP: `kit.http` maps kinds to statuses.
"""

from typing import ClassVar


class MarketError(Exception):
    """Something the market refuses to do."""

    code: ClassVar[str] = "market_error"
    message: ClassVar[str] = "The market refuses this request."

    def __init__(self, detail: str | None = None, **context: str | int) -> None:
        self.detail = detail or self.message
        self.context = context
        super().__init__(self.detail)


class Invalid(MarketError):
    code = "invalid_request"
    message = "The request is invalid."


class Unauthenticated(MarketError):
    code = "unauthenticated"
    message = "Authentication is required."


class Forbidden(MarketError):
    code = "forbidden"
    message = "You do not have permission to do this."


class NotFound(MarketError):
    code = "not_found"
    message = "Not found, or not visible to you."


class Conflict(MarketError):
    code = "conflict"
    message = "Not allowed in the current state."


class PreconditionFailed(MarketError):
    code = "precondition_failed"
    message = "The resource has changed since you read it."


class Unprocessable(MarketError):
    code = "unprocessable"
    message = "The request contradicts an earlier one."


class Unavailable(MarketError):
    code = "unavailable"
    message = "The service is busy. Try again shortly."


class UpstreamUnavailable(MarketError):
    code = "upstream_unavailable"
    message = "A service that the market depends on cannot be reached. Try again shortly."


class GatewayUnavailable(UpstreamUnavailable):
    code = "gateway_unavailable"
    message = "The payment gateway cannot be reached or sent no valid response. Try again shortly."


class InvalidTransition(Conflict):
    code = "invalid_transition"
    message = "The current state does not allow this step."


class AmountChanged(Conflict):
    code = "amount_changed"
    message = "The amount has changed since you saw it."


class VersionConflict(Unavailable):
    code = "version_conflict"
    message = "Another request changed this at the same time. Try again shortly."


class RateLimited(MarketError):
    code = "rate_limited"
    message = "Too many attempts. Try again later."

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(retry_after=retry_after)
        self.retry_after = retry_after
