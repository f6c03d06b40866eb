"""All pages, behind one door: the visitor is known, and forms are our own."""

from typing import Any

from litestar import Response, Router
from litestar.di import Provide
from litestar.types import ControllerRouterHandler

from . import errors
from .account import AccountController
from .buying import BuyingController
from .catalogue import CatalogueController
from .console import ConsoleController, operators_only
from .console_actions import ConsoleActionsController
from .mine import MineController
from .notices import NoticeController
from .page import asset
from .password import PasswordController
from .photos import photo, small_photo
from .selling import SellingController
from .trading import TradingController
from .visitor import csrf_guard, provide_visitor


def _as_it_is(response: Response[Any]) -> Response[Any]:
    """A page that is not found is a page, not the problem that the API answers."""
    return response


PAGES = Router(
    path="/",
    route_handlers=[
        CatalogueController,
        SellingController,
        BuyingController,
        TradingController,
        MineController,
        NoticeController,
        AccountController,
        PasswordController,
    ],
    dependencies={"visitor": Provide(provide_visitor)},
    guards=[csrf_guard],
    exception_handlers=dict(errors.HANDLERS),
    after_request=_as_it_is,
    include_in_schema=False,
)

# Who is no operator is told nothing, not even that a form was not ours: the first guard is theirs.
CONSOLE = Router(
    path="/console",
    route_handlers=[ConsoleController, ConsoleActionsController],
    dependencies={"visitor": Provide(provide_visitor)},
    guards=[operators_only, csrf_guard],
    exception_handlers=dict(errors.HANDLERS),
    after_request=_as_it_is,
    include_in_schema=False,
)

ROUTES: tuple[ControllerRouterHandler, ...] = (PAGES, CONSOLE, asset, photo, small_photo)
