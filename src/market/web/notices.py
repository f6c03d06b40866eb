"""A member's inbox: what they were told of their trades."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http.request import page_request, path_id
from market.notifications.service import NotificationService
from market.shared.ids import well_formed

from .forms import Form
from .page import go, render
from .visitor import Here, Shop

ON_A_PAGE = 30

Notifications = NamedDependency[NotificationService]
House = NamedDependency[Shop]
Asked = Request[Any, Any, State]


class NoticeController(Controller):
    """알림."""

    path = "/me/notices"

    @get()
    async def list(
        self, request: Asked, visitor: Here, shop: House, notifications: Notifications
    ) -> Response[Any]:
        """The newest first. Looking at the list changes nothing; opening one marks it as read, and
        a button marks all."""
        cursor = request.query_params.get("cursor") or None
        page = await notifications.page(visitor.me.id, page_request(ON_A_PAGE, cursor))
        return render(shop, "notices.html", visitor, page=page)

    @get("/{notice_id:str}")
    async def open(
        self, notice_id: FromPath[str], visitor: Here, notifications: Notifications
    ) -> Response[Any]:
        """Leads on to what a notice tells of; it is read then."""
        trade_id = await notifications.open(visitor.me.id, path_id(notice_id))
        return go(f"/trades/{trade_id}")

    @post()
    async def read(
        self, request: Asked, visitor: Here, notifications: Notifications
    ) -> Response[Any]:
        """Everything that was shown is read; what came meanwhile is not."""
        until = (await Form.of(request)).raw("until")
        if well_formed(until):
            await notifications.mark_read(visitor.me.id, until)
        return go("/me/notices")
