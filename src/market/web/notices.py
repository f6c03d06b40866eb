"""A member's inbox: what they were told of their trades."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from market.kit.http import wanted
from market.notices.service import NoticeService
from market.shared.ids import well_formed

from .forms import Form
from .page import go, render
from .visitor import Here, Shop

ON_A_PAGE = 30

Notices = NamedDependency[NoticeService]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]


class NoticeController(Controller):
    """알림."""

    path = "/me/notices"

    @get()
    async def list(
        self, request: Asked, visitor: Here, shop: House, notices: Notices
    ) -> Response[Any]:
        """The newest first; looking at them changes nothing, a button marks them as read."""
        cursor = request.query_params.get("cursor") or None
        page = await notices.page(visitor.me.id, wanted(ON_A_PAGE, cursor))
        return render(shop, "notices.html", visitor, page=page)

    @post()
    async def read(self, request: Asked, visitor: Here, notices: Notices) -> Response[Any]:
        """Everything that was shown is read; what came meanwhile is not."""
        until = (await Form.of(request)).raw("until")
        if well_formed(until):
            await notices.mark_read(visitor.me.id, until)
        return go("/me/notices")
