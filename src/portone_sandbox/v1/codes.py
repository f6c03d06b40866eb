"""V1's codes of banks and card companies, as the Korean clearing institute numbers them."""

from collections.abc import Mapping
from typing import Protocol

from litestar import Response, route
from litestar.params import FromPath

from portone_sandbox.core import banks
from portone_sandbox.core.brands import CARD_COMPANIES
from portone_sandbox.v1.lookup import LOOKUP_VERBS
from portone_sandbox.v1.schema import envelope


class _Institution(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def korean(self) -> str: ...


@route("/banks", http_method=LOOKUP_VERBS, status_code=200)
async def get_banks() -> Response[bytes]:
    """Every bank."""
    return _list(banks.BY_CODE)


@route("/banks/{code:str}", http_method=LOOKUP_VERBS, status_code=200)
async def get_bank(code: FromPath[str]) -> Response[bytes]:
    """The bank of a code."""
    return _one(banks.BY_CODE, code, "은행")


@route("/cards", http_method=LOOKUP_VERBS, status_code=200)
async def get_cards() -> Response[bytes]:
    """Every card company."""
    return _list(CARD_COMPANIES)


@route("/cards/{code:str}", http_method=LOOKUP_VERBS, status_code=200)
async def get_card(code: FromPath[str]) -> Response[bytes]:
    """The card company of a code."""
    return _one(CARD_COMPANIES, code, "카드사")


def _list(known: Mapping[str, _Institution]) -> Response[bytes]:
    return envelope([_show(one) for one in known.values()])


def _one(known: Mapping[str, _Institution], code: str, kind: str) -> Response[bytes]:
    found = known.get(code)
    if found is None:
        message = f"코드에 해당되는 {kind} 정보를 찾을 수 없습니다."
        return envelope(None, code=-1, message=message, status=404)
    return envelope(_show(found))


def _show(one: _Institution) -> dict[str, str]:
    return {"code": one.code, "name": one.korean}


CODES = (get_banks, get_bank, get_cards, get_card)
