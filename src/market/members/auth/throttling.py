"""Limits on sign-in attempts, checked before anything slow or revealing."""

from datetime import timedelta

from market.members.domain import normal_email
from market.members.ports import RateLimits
from market.shared.ids import MemberId
from market.shared.rate_limit import RateLimit

# One address may be an office or school behind one router, so limits by address alone are wide;
# a limit by address and account is narrow, since guessing a password looks like that.
SIGN_UP_FROM_ADDRESS = RateLimit(100, timedelta(hours=1))
SIGN_UP_OF_ACCOUNT = RateLimit(10, timedelta(hours=1))
SIGN_IN_FROM_ADDRESS = RateLimit(100, timedelta(minutes=10))
SIGN_IN_FROM_ADDRESS_TO_ACCOUNT = RateLimit(20, timedelta(minutes=10))
# Wide: strangers can use it up for a member. It allows another attempt every 18 s.
SIGN_IN_TO_ACCOUNT = RateLimit(200, timedelta(hours=1))
REFRESH_FROM_ADDRESS = RateLimit(600, timedelta(minutes=10))
SOCIAL_FROM_ADDRESS = RateLimit(300, timedelta(minutes=10))

# Forms of signed-out browsers: a page of an ended session is enough to send one.
FORMS_OF_SIGNED_OUT = RateLimit(20, timedelta(hours=1))


class AuthThrottle:
    """Limits attempts by client address and by account. Every method raises RateLimited.

    An account is the normalized e-mail address, whether or not a member has it, so the limits
    reveal nothing about members. `address` is a rate limit key of the client's address.
    """

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def sign_up(self, address: str, email: str) -> None:
        account = normal_email(email)
        await self._limits.take(
            [
                (SIGN_UP_FROM_ADDRESS, f"sign-up\0{address}"),
                (SIGN_UP_OF_ACCOUNT, f"sign-up of\0{account}"),
            ]
        )

    async def sign_in(self, address: str, email: str) -> None:
        """The narrowest limit first: one address that attacks one account is stopped before it
        uses up the account's own limit, and so cannot lock its member out."""
        account = normal_email(email)
        await self._limits.take(
            [
                (SIGN_IN_FROM_ADDRESS_TO_ACCOUNT, f"sign-in\0{address}\0{account}"),
                (SIGN_IN_FROM_ADDRESS, f"sign-in\0{address}"),
                (SIGN_IN_TO_ACCOUNT, f"sign-in to\0{account}"),
            ]
        )

    async def refresh(self, address: str) -> None:
        await self._limits.take([(REFRESH_FROM_ADDRESS, f"refresh\0{address}")])

    async def social(self, address: str) -> None:
        """A step of a social sign-in that a client requests."""
        await self._limits.take([(SOCIAL_FROM_ADDRESS, f"social\0{address}")])

    async def form_of_signed_out(self, member: MemberId) -> None:
        """A form to keep for a member until they sign in again."""
        await self._limits.take([(FORMS_OF_SIGNED_OUT, f"form\0{member}")])
