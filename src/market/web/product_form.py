"""The form of a product: its texts, the photos that come with it, and the draft that keeps both.

Photos stay with a form that has to be sent again: a browser would ask for them once more.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.datastructures import State

from market.products.domain import (
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PHOTOS_MAX,
    PRICE_MAX,
    QUANTITY_MAX,
    Draft,
    Product,
)
from market.products.drafts import DraftService
from market.products.ports import ProcessedImage
from market.products.service import ProductService
from market.shared.errors import Invalid, Unavailable
from market.shared.ids import MemberId, PhotoId, well_formed
from market.shared.text import cut, plain

from .forms import Form
from .page import render
from .translation import gettext_noop as _
from .visitor import Shop, Visitor

TEXTS = ("name", "price", "quantity", "description", "revision")
# Longer than any of them may be; what is longer still was no one's typing.
LONGEST_TEXT = 2 * DESCRIPTION_LENGTH_MAX
LONGEST_FILE_NAME = 40
REFUSED_PHOTOS = _(
    "올릴 수 없는 파일이에요: {names}. 8MB, 1억 1천만 화소까지 가능해요(PNG 2,400만, WebP 1,200만)."
)
_REFUSED = "refused_photos"


class Wish:
    """What the form says of a product."""

    def __init__(self, form: Form) -> None:
        self.name = form.line("name", most=NAME_LENGTH_MAX)
        self.price = form.won("price", 1, PRICE_MAX)
        self.quantity = form.units("quantity", 1, QUANTITY_MAX)
        self.description = form.text("description", most=DESCRIPTION_LENGTH_MAX, least=0)


@dataclass(frozen=True, slots=True)
class ProductForm:
    """A form as its owner sent it. `kept` are the photos of the draft that it continues, `added`
    those that came with it."""

    owner: MemberId
    form: Form
    wish: Wish
    draft: Draft | None
    kept: Sequence[ProcessedImage]
    added: Sequence[ProcessedImage]

    @classmethod
    async def read(
        cls,
        request: Request[Any, Any, State],
        owner: MemberId,
        products: ProductService,
        drafts: DraftService,
    ) -> "ProductForm":
        """Notes in the form what is wrong with it."""
        form = await Form.of(request)
        draft, kept = await _continued(form, owner, drafts)
        added = await _added(form, products, PHOTOS_MAX - len(kept))
        return cls(owner, form, Wish(form), draft, kept, added)

    @property
    def pictures(self) -> Sequence[ProcessedImage]:
        return [*self.kept, *self.added]

    @property
    def removed(self) -> Sequence[PhotoId]:
        """Photos of the product that are to go."""
        return [PhotoId(name[5:]) for name in self.form.values if _names_photo(name)]

    async def keep_photos(self, drafts: DraftService) -> Draft | None:
        """The draft that has all photos of a form which is to be sent again, if there are any."""
        return await self.keep(drafts) if self.added else self.draft

    async def keep(self, drafts: DraftService) -> Draft:
        """A draft that has all of it."""
        form = self.form
        texts = {name: form.raw(name)[:LONGEST_TEXT] for name in TEXTS if name in form.values}
        texts |= {f"gone-{id}": "on" for id in self.removed}
        if "photos" in form.wrong:
            texts[_REFUSED] = str(form.wrong["photos"][1].get("names", ""))
        return await drafts.keep(self.owner, texts, self.pictures)


def resumed(draft: Draft) -> Form:
    """A form as its draft keeps it."""
    form = Form(draft.fields, {})
    if names := form.raw(_REFUSED):
        form.fault("photos", REFUSED_PHOTOS, names=names)
    return form


def form_page(
    shop: Shop,
    visitor: Visitor,
    product: Product | None,
    form: Form | None,
    draft: Draft | None = None,
    photos: Any = (),
) -> Response[str]:
    """The page of the form, to be filled in or sent again."""
    return render(
        shop,
        "product_form.html",
        visitor,
        status=_status(form.wrong) if form else 200,
        product=product,
        form=form,
        draft=draft,
        photos=photos,
        most_photos=PHOTOS_MAX,
        once=secrets.token_hex(16),
    )


async def _continued(
    form: Form, owner: MemberId, drafts: DraftService
) -> tuple[Draft | None, Sequence[ProcessedImage]]:
    id = form.raw("draft")
    if not id:
        return None, ()
    draft = await drafts.find(owner, id)
    if draft is None:
        form.fault("photos", "photos_expired")
        return None, ()
    without = [place for place in draft.places if f"drop-{place}" in form.values]
    return draft, await drafts.pictures(draft, without)


async def _added(form: Form, products: ProductService, room: int) -> Sequence[ProcessedImage]:
    """The photos that were sent, made ours; before any transaction, for that takes a while."""
    files, pictures, refused = form.files("photos"), list[ProcessedImage](), list[str]()
    for number, file in enumerate(files[:room], 1):
        try:
            pictures.append(await products.process_image(await file.read()))
        except Invalid:
            refused.append(cut(plain(file.filename), LONGEST_FILE_NAME) or f"#{number}")
        except Unavailable as busy:
            form.fault("photos", busy.code)
            break
    if refused:
        form.fault("photos", REFUSED_PHOTOS, names=", ".join(refused))
    if len(files) > room:
        form.fault("photos", "too_many_photos")
    return pictures


def _names_photo(name: str) -> bool:
    return name.startswith("gone-") and well_formed(name[5:])


def _status(wrong: Mapping[str, tuple[str, Any]]) -> int:
    if "stale" in wrong:
        return 412
    if wrong.get("photos", ("",))[0] == Unavailable.code:
        return 503
    return 400 if wrong else 200
