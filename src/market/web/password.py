"""A password for members who have none: they are told when theirs ended, and may choose another."""

from typing import Any

from litestar import Controller, Response, get, post

from market.members.domain import PasswordSet, StepUpNeeded

from .account import Asked, House, Members, Social, password_in, ways_in
from .forms import Form
from .page import flash, go, render
from .visitor import Here, safe_next


class PasswordController(Controller):
    """Why there is no password any more, and how to have one again."""

    path = "/me/password"

    @get()
    async def page(
        self, request: Asked, visitor: Here, shop: House, members: Members
    ) -> Response[Any]:
        """The form; a member who has a password has no need of it."""
        next = safe_next(request.query_params.get("next"), "/me")
        member = await members.get(visitor.me.id)
        if not member.may_choose_password:
            return go("/me")
        return render(shop, "password.html", visitor, member=member, next=next, form=None, ways={})

    @post()
    async def choose(
        self, request: Asked, visitor: Here, shop: House, members: Members, social: Social
    ) -> Response[Any]:
        """Keeps the new password; asks for another sign-in where the last one was long ago."""
        me, form = visitor.me, await Form.of(request)
        next = safe_next(form.raw("next"), "/me")
        password = password_in(form)
        ways: dict[str, str] = {}
        if not form.wrong:
            try:
                await members.choose_password(me, await members.hash_password(password))
                return flash(visitor, next, "password_chosen")
            except PasswordSet:
                return go("/me")
            except StepUpNeeded as error:
                form.fault("password", error.code)
                ways = ways_in(social, f"/me/password?next={next}")
        member = await members.get(me.id)
        return render(
            shop,
            "password.html",
            visitor,
            status=400,
            member=member,
            next=next,
            form=form,
            ways=ways,
        )

    @post("/none")
    async def none(self, request: Asked, visitor: Here, members: Members) -> Response[Any]:
        """Goes on without one: the member has read that the old one ended."""
        next = safe_next((await Form.of(request)).raw("next"), "/me")
        await members.acknowledge_password_removal(visitor.me.id)
        return go(next)
