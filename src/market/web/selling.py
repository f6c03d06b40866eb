"""Selling and editing."""

import hashlib
from collections.abc import Sequence
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http.idempotency import (
    EncodedResponse,
    ExecutionMode,
    Idempotency,
    IdempotencyKey,
    InProgress,
)
from market.kit.http.request import path_id, revisions
from market.members.auth.throttling import AuthThrottle
from market.products.domain import (
    PHOTOS_MAX,
    Change,
    Draft,
    Product,
    QuantityBelowTaken,
    Stale,
)
from market.products.drafts import DraftService
from market.products.ports import PHOTO_BYTES_MAX, ProcessedImage
from market.products.service import ProductService
from market.shared.errors import Conflict, NotFound
from market.shared.ids import MemberId, ProductId
from market.shared.money import Money

from .errors import kept_refusal
from .forms import Form
from .page import HEADERS, flash, go
from .product_form import ProductForm, form_page, resumed
from .visitor import KEEPS_FORMS, Here, Shop, SignedOut, Visitor

Products = NamedDependency[ProductService]
Drafts = NamedDependency[DraftService]
AuthThrottleDep = NamedDependency[AuthThrottle]
House = NamedDependency[Shop]
Keys = NamedDependency[Idempotency]
Asked = Request[Any, Any, State]

LARGEST_FORM = PHOTOS_MAX * PHOTO_BYTES_MAX + 256 * 1024
_JPEG_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SellingController(Controller):
    """A seller's forms."""

    @get("/sell")
    async def sell_page(
        self, request: Asked, visitor: Here, shop: House, drafts: Drafts
    ) -> Response[Any]:
        draft = await _draft(request, visitor, drafts)
        return form_page(shop, visitor, None, resumed(draft) if draft else None, draft)

    @post("/sell", request_max_body_size=LARGEST_FORM, opt={KEEPS_FORMS: True})
    async def sell(
        self,
        request: Asked,
        visitor: Here,
        shop: House,
        products: Products,
        drafts: Drafts,
        idempotency: Keys,
        auth_throttle: AuthThrottleDep,
    ) -> Response[Any]:
        """Puts a product up for sale, with its photos; once, however often the form is sent."""
        if visitor.signed_out:
            await auth_throttle.form_of_signed_out(visitor.signed_out)
            sent = await ProductForm.read(request, visitor.signed_out, products, drafts)
            return _to_sign_in(visitor, "/sell", await sent.keep(drafts))
        me = visitor.me
        sent = await ProductForm.read(request, me.id, products, drafts)
        if sent.form.wrong:
            return form_page(shop, visitor, None, sent.form, await sent.keep_photos(drafts))

        async def listed() -> EncodedResponse:
            wish, price = sent.wish, Money(sent.wish.price)
            product = await products.list_new(
                me.person, wish.name, price, wish.quantity, wish.description, sent.pictures
            )
            return EncodedResponse(201, product.id.encode())

        key = _key(me.id, sent.form, sent.added)
        try:
            answer = await idempotency.answer(key, ExecutionMode.ONE_TRANSACTION, listed)
        except InProgress:
            return go("/me/products")  # where it is about to be
        if answer.problem:
            return kept_refusal(request, answer)
        return flash(visitor, f"/products/{answer.body.decode()}", "listed")

    @get("/products/{product_id:str}/edit")
    async def edit_page(
        self,
        product_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        products: Products,
        drafts: Drafts,
    ) -> Response[Any]:
        product = await _own(product_id, visitor, products)
        draft = await _draft(request, visitor, drafts)
        form = resumed(draft) if draft else None
        return form_page(shop, visitor, product, form, draft, await products.photos_of(product.id))

    @post(
        "/products/{product_id:str}/edit",
        request_max_body_size=LARGEST_FORM,
        opt={KEEPS_FORMS: True},
    )
    async def edit(
        self,
        product_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        products: Products,
        drafts: Drafts,
        auth_throttle: AuthThrottleDep,
    ) -> Response[Any]:
        """Edits a product; trades already made keep their price (R10)."""
        if visitor.signed_out:
            await auth_throttle.form_of_signed_out(visitor.signed_out)
            path = f"/products/{path_id(product_id)}/edit"
            sent = await ProductForm.read(request, visitor.signed_out, products, drafts)
            return _to_sign_in(visitor, path, await sent.keep(drafts))
        product = await _own(product_id, visitor, products)
        sent = await ProductForm.read(request, visitor.me.id, products, drafts)
        if not sent.form.wrong and await _changed(product, sent, products):
            return flash(visitor, f"/products/{product.id}", "edited")
        if "stale" in sent.form.wrong:
            product = await _own(product_id, visitor, products)
        draft = await sent.keep_photos(drafts)
        photos = await products.photos_of(product.id)
        return form_page(shop, visitor, product, sent.form, draft, photos)

    @get("/drafts/{draft_id:str}/photos/{place:int}")
    async def draft_photo(
        self, draft_id: FromPath[str], place: FromPath[int], visitor: Here, drafts: Drafts
    ) -> Response[bytes]:
        """A photo that waits with its form, for its owner alone."""
        body = await drafts.small_photo(visitor.me.id, path_id(draft_id), place)
        return Response(body, media_type="image/jpeg", headers=_JPEG_HEADERS)


async def _changed(product: Product, sent: ProductForm, products: ProductService) -> bool:
    """Makes the change; or notes in the form why it can't be made."""
    wish, form = sent.wish, sent.form
    change = Change(wish.name, wish.price, wish.quantity, wish.description)
    seen = revisions(f'"{form.raw("revision")}"') if "revision" in form.values else None
    try:
        await products.change(
            product.id, sent.owner, change, seen=seen, add=sent.pictures, remove=sent.removed
        )
    except Stale as error:
        form.fault("stale", error.code)
    except QuantityBelowTaken as error:
        form.fault("quantity", error.code)
    except Conflict as error:
        form.fault("photos", error.code)
    return not form.wrong


async def _draft(request: Asked, visitor: Visitor, drafts: DraftService) -> Draft | None:
    """The visitor's own draft that the address names."""
    return await drafts.find(visitor.me.id, request.query_params.get("draft", ""))


def _to_sign_in(visitor: Visitor, path: str, draft: Draft) -> Response[Any]:
    """To the form as it was; whoever is not signed in again by now does that first."""
    back = f"{path}?draft={draft.id}"
    return go(back) if visitor.caller else go("/signin", next=back, refused=SignedOut.code)


def _key(seller: MemberId, form: Form, added: Sequence[ProcessedImage]) -> IdempotencyKey:
    """The same form with the same in it. Who goes back and changes it lists something else."""
    said = hashlib.sha256(repr(sorted(form.values.items())).encode())
    for picture in added:
        said.update(picture.full)
    return IdempotencyKey(seller, f"sell {said.hexdigest()}", said.digest())


async def _own(product_id: str, visitor: Visitor, products: ProductService) -> Product:
    """The visitor's own product. Raises NotFound: nobody else's form is there to be seen."""
    product = await products.get(ProductId(path_id(product_id)))
    if product.seller.id != visitor.me.id:
        raise NotFound
    return product
