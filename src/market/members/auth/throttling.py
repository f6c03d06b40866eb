"""How often somebody may try to come in: asked before anything that is slow or tells something."""

from datetime import timedelta

from market.members.domain import normal_email
from market.members.ports import RateLimits
from market.shared.ids import MemberId
from market.shared.rate_limit import RateLimit

# One address may be a whole office or school behind one router; a password is guessed by one
# address at one account, and there it is counted narrowly.
SIGN_UP_FROM_ADDRESS = RateLimit(100, timedelta(hours=1))
SIGN_UP_OF_ACCOUNT = RateLimit(10, timedelta(hours=1))
SIGN_IN_FROM_ADDRESS = RateLimit(100, timedelta(minutes=10))
SIGN_IN_FROM_ADDRESS_TO_ACCOUNT = RateLimit(20, timedelta(minutes=10))
# Wide, for it is the one that strangers can use up for a member; it frees a turn every 18 s.
SIGN_IN_TO_ACCOUNT = RateLimit(200, timedelta(hours=1))
REFRESH_FROM_ADDRESS = RateLimit(600, timedelta(minutes=10))
SOCIAL_FROM_ADDRESS = RateLimit(300, timedelta(minutes=10))

# Nobody signs in for these: whoever has a page of an ended session can send its form.
FORMS_OF_SIGNED_OUT = RateLimit(20, timedelta(hours=1))


class AuthThrottle:
    """Counts attempts by client address and by account. Every method raises RateLimited.

    An account is the e-mail address as it was typed, whether a member has it or not: what is
    counted, and what is answered, is the same for both. `address` comes from
    `ClientIpResolver.rate_limit_key`.
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
        """The narrowest first: one address that hammers at one account is stopped before it
        wears out the account's own limit, and so can't keep its member out."""
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
        """Each step of a social sign-in that a client asks us for."""
        await self._limits.take([(SOCIAL_FROM_ADDRESS, f"social\0{address}")])

    async def form_of_signed_out(self, member: MemberId) -> None:
        """A form to be kept for a member until they sign in again."""
        await self._limits.take([(FORMS_OF_SIGNED_OUT, f"form\0{member}")])
