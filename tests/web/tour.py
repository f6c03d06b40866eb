"""A walk past every page of the shop, with something on each."""

from collections.abc import Iterator

import httpx

from .person import CHAIR, Person, picture

Sight = tuple[str, Person]


def tour(seller: Person, buyer: Person, gateway: httpx.Client) -> Iterator[Sight]:
    """Each page's name, and who stands before it."""
    yield from _doors(seller, buyer)
    product = seller.sell(photo=picture(1280, 960), quantity="3")
    yield "product-seller", seller
    seller.go("/sell")
    yield "sell", seller
    seller.go(f"{product}/edit")
    yield "edit", seller
    for name, price in (
        ("캠핑 랜턴", "28000"),
        ("기계식 키보드", "89000"),
        ("러닝화 270", "52000"),
    ):
        seller.sell(name=name, price=price)
    buyer.go("/")
    yield "list", buyer
    buyer.go("/?q=없는 것")
    yield "list-empty", buyer
    buyer.go(product)
    yield "product", buyer
    trade = buyer.buy(product)
    yield "checkout", buyer
    buyer.choose("CARD")
    buyer.press(r"[\d,]+원 결제하기")
    buyer.window.locator("footer .pay").wait_for()
    yield "card-window", buyer
    buyer.go(f"{trade}/checkout")
    number = buyer.ask_for_account()
    yield "virtual-account", buyer
    buyer.go("/me/reservations")
    yield "reservations", buyer
    money = {"account_number": number, "amount": int(CHAIR["price"])}
    gateway.post("/control/deposit", json=money).raise_for_status()
    buyer.go(trade)
    buyer.sees("결제가 완료됐어요")
    yield "paid", buyer
    buyer.go(f"{trade}/cancel")
    yield "cancel", buyer
    seller.go(trade)
    yield "approve", seller
    seller.press("판매승인")
    seller.sees("구매확정을 기다리고 있어요")
    buyer.go(trade)
    yield "confirm", buyer
    buyer.press("구매확정")
    buyer.sees("거래가 완료됐어요")
    buyer.go("/me/notices")
    yield "notices", buyer
    buyer.go("/me/purchases")
    yield "purchases", buyer
    for path in ("/me/sales", "/me/products", "/me", "/nowhere"):
        seller.go(path)
        yield path.removeprefix("/me/").strip("/"), seller


def _doors(seller: Person, buyer: Person) -> Iterator[Sight]:
    buyer.go("/signin")
    yield "signin", buyer
    buyer.go("/signup")
    yield "signup", buyer
    seller.sign_up("보라")
    buyer.sign_up("준")


def _window_shopping(seller: Person, buyer: Person) -> Iterator[Sight]:
    for name, price in (
        ("캠핑 랜턴", "28000"),
        ("기계식 키보드", "89000"),
        ("러닝화 270", "52000"),
    ):
        seller.sell(name=name, price=price)
    buyer.go("/")
    yield "list", buyer
    buyer.go("/?q=없는 것")
    yield "list-empty", buyer
