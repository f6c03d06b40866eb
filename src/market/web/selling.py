"""Selling and editing."""

import hashlib
import secrets
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from market.kit.http import path_id, revisions
from market.kit.idempotency import Answer, Idempotency, InProgress, Key, Scope
from market.products.domain import (
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    MOST_PHOTOS,
    MOST_UNITS,
    MOST_WON,
    Change,
    Product,
    QuantityBelowTaken,
    Stale,
)
from market.products.ports import LARGEST_PHOTO, Picture
from market.products.service import ProductService
from market.shared.errors import Conflict, Invalid, NotFound
from market.shared.ids import MemberId, PhotoId, ProductId, well_formed
from market.shared.money import Money

from .errors import kept_refusal
from .forms import Form
from .page import go, render
from .visitor import Here, Shop, Visitor

Products = NamedDependency[ProductService]
House = NamedDependency[Shop]
Keys = NamedDependency[Idempotency]
Asked = Request[Any, Any, State]

LARGEST_FORM = MOST_PHOTOS * LARGEST_PHOTO + 256 * 1024


class SellingController(Controller):
    """A seller's forms."""

    @get("/sell")
    async def sell_page(self, visitor: Here, shop: House) -> Response[Any]:
        _ = visitor.me
        return _form_page(shop, visitor, None, None)

    @post("/sell", request_max_body_size=LARGEST_FORM)
    async def sell(
        self,
        request: Asked,
        visitor: Here,
        shop: House,
        products: Products,
        idempotency: Keys,
    ) -> Response[Any]:
        """Puts a product up for sale, with its photos; once, however often the form is sent."""
        me, form = visitor.me, await Form.of(request)
        wish, pictures = Wish(form), await _pictures(form, products)
        if form.wrong:
            return _form_page(shop, visitor, None, form)

        async def listed() -> Answer:
            product = await products.list_new(
                me.person, wish.name, Money(wish.price), wish.quantity, wish.description, pictures
            )
            return Answer(201, product.id.encode())

        key = _key(me.id, form, pictures)
        try:
            answer = await idempotency.answer(key, Scope.ONE_TRANSACTION, listed)
        except InProgress:
            return go("/me/products")  # where it is about to be
        if answer.problem:
            return kept_refusal(request, answer)
        return go(f"/products/{answer.body.decode()}", say="listed")

    @get("/products/{product_id:str}/edit")
    async def edit_page(
        self, product_id: FromPath[str], visitor: Here, shop: House, products: Products
    ) -> Response[Any]:
        product = await _own(product_id, visitor, products)
        photos = await products.photos_of(product.id)
        return _form_page(shop, visitor, product, None, photos)

    @post("/products/{product_id:str}/edit", request_max_body_size=LARGEST_FORM)
    async def edit(
        self,
        product_id: FromPath[str],
        request: Asked,
        visitor: Here,
        shop: House,
        products: Products,
    ) -> Response[Any]:
        """Edits a product; trades already made keep their price (R10)."""
        me, product = visitor.me, await _own(product_id, visitor, products)
        form = await Form.of(request)
        wish, pictures = Wish(form), await _pictures(form, products)
        gone = [PhotoId(name[5:]) for name in form.values if _names_photo(name)]
        if not form.wrong:
            change = Change(wish.name, wish.price, wish.quantity, wish.description)
            seen = revisions(f'"{form.raw("revision")}"') if "revision" in form.values else None
            try:
                await products.change(
                    product.id, me.id, change, seen=seen, add=pictures, remove=gone
                )
                return go(f"/products/{product.id}", say="edited")
            except Stale as error:
                form.fault("stale", error.code)
                product = await _own(product_id, visitor, products)
            except QuantityBelowTaken as error:
                form.fault("quantity", error.code)
            except Conflict as error:
                form.fault("photos", error.code)
        photos = await products.photos_of(product.id)
        return _form_page(shop, visitor, product, form, photos)


class Wish:
    """What the form says of a product."""

    def __init__(self, form: Form) -> None:
        self.name = form.line("name", most=LONGEST_NAME)
        self.price = form.won("price", 1, MOST_WON)
        self.quantity = form.units("quantity", 1, MOST_UNITS)
        self.description = form.text("description", most=LONGEST_DESCRIPTION, least=0)


def _key(seller: MemberId, form: Form, pictures: list[Picture]) -> Key:
    """The same form with the same in it. Who goes back and changes it lists something else."""
    said = hashlib.sha256(repr(sorted(form.values.items())).encode())
    for picture in pictures:
        said.update(picture.full)
    return Key(seller, f"sell {said.hexdigest()}", said.digest())


async def _pictures(form: Form, products: ProductService) -> list[Picture]:
    """The photos that were sent, made ours; before any transaction, for that takes a while."""
    files = form.files("photos")
    if len(files) > MOST_PHOTOS:
        form.fault("photos", "too_many_photos")
        return []
    try:
        return [await products.develop(await file.read()) for file in files]
    except Invalid as error:
        form.fault("photos", error.code)
        return []


async def _own(product_id: str, visitor: Visitor, products: ProductService) -> Product:
    """The visitor's own product. Raises NotFound: nobody else's form is there to be seen."""
    product = await products.get(ProductId(path_id(product_id)))
    if product.seller.id != visitor.me.id:
        raise NotFound
    return product


def _names_photo(name: str) -> bool:
    return name.startswith("gone-") and well_formed(name[5:])


def _status(form: Form | None) -> int:
    if form is None:
        return 200
    return 412 if "stale" in form.wrong else 400


def _form_page(
    shop: Shop, visitor: Visitor, product: Product | None, form: Form | None, photos: Any = ()
) -> Response[str]:
    return render(
        shop,
        "product_form.html",
        visitor,
        status=_status(form),
        product=product,
        form=form,
        photos=photos,
        most_photos=MOST_PHOTOS,
        once=secrets.token_hex(16),
    )
