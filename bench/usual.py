"""The usual stack doing the same job: FastAPI, SQLAlchemy's async ORM on asyncpg, Uvicorn.

Written as its documentation shows: a session per request, models, `with_for_update`, a commit.
JWT, session, own product, stock and one-per-buyer are checked, and the answer is the same.
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel
from sqlalchemy import ForeignKey, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from sqlalchemy.types import DateTime
from uuid_utils.compat import uuid7

SECRET = os.environ["MARKET_SECRET"]
DSN = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
HOLD = timedelta(minutes=10)
FEE_BPS = 350

engine = create_async_engine(DSN, pool_size=10, max_overflow=10)
make_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}


class Member(Base):
    __tablename__ = "members"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    nickname: Mapped[str]


class SignedIn(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    revoked_at: Mapped[datetime | None]
    member: Mapped[Member] = relationship()


class Product(Base):
    __tablename__ = "products"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    name: Mapped[str]
    price: Mapped[int]
    currency: Mapped[str]
    quantity: Mapped[int]
    taken: Mapped[int]
    version: Mapped[int]
    seller: Mapped[Member] = relationship()


class Trade(Base):
    __tablename__ = "trades"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    product_name: Mapped[str]
    seller_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("members.id"))
    price: Mapped[int]
    fee: Mapped[int]
    currency: Mapped[str]
    status: Mapped[str]
    hold_expires_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Somebody(BaseModel):
    id: str
    nickname: str


class Bought(BaseModel):
    id: str
    name: str


class TradeOut(BaseModel):
    id: str
    product: Bought
    buyer: Somebody
    seller: Somebody
    price: int
    currency: str
    status: str
    hold_expires_at: datetime
    created_at: datetime
    paid_at: datetime | None = None
    approved_at: datetime | None = None
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    cancel_in_progress: bool = False
    refunded_amount: int = 0


async def session() -> AsyncIterator[AsyncSession]:
    async with make_session() as opened:
        yield opened


async def member(
    db: Annotated[AsyncSession, Depends(session)], authorization: Annotated[str, Header()]
) -> Member:
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "), SECRET, ["HS256"], issuer="wanted-market"
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401) from None
    query = select(SignedIn).options(joinedload(SignedIn.member))
    found = await db.scalar(query.where(SignedIn.id == UUID(claims["sid"])))
    if found is None or found.revoked_at or found.member_id != UUID(claims["sub"]):
        raise HTTPException(401)
    return found.member


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "live"}


@app.post("/api/products/{product_id}/trades", status_code=201)
async def buy(
    product_id: UUID,
    db: Annotated[AsyncSession, Depends(session)],
    buyer: Annotated[Member, Depends(member)],
) -> TradeOut:
    query = select(Product).options(joinedload(Product.seller)).where(Product.id == product_id)
    product = await db.scalar(query.with_for_update(of=Product))
    if product is None:
        raise HTTPException(404)
    if product.seller_id == buyer.id:
        raise HTTPException(403, "own_product")
    if product.taken >= product.quantity:
        raise HTTPException(409, "sold_out")
    now = datetime.now(UTC)
    trade = Trade(
        product_id=product.id,
        product_name=product.name,
        seller_id=product.seller_id,
        buyer_id=buyer.id,
        price=product.price,
        fee=product.price * FEE_BPS // 10_000,
        currency=product.currency,
        status="AWAITING_PAYMENT",
        hold_expires_at=now + HOLD,
        created_at=now,
    )
    db.add(trade)
    product.taken += 1
    product.version += 1
    try:
        await db.commit()
    except IntegrityError:
        raise HTTPException(409, "already_bought") from None
    return TradeOut(
        id=trade.id.hex,
        product=Bought(id=product.id.hex, name=product.name),
        buyer=Somebody(id=buyer.id.hex, nickname=buyer.nickname),
        seller=Somebody(id=product.seller.id.hex, nickname=product.seller.nickname),
        price=trade.price,
        currency=trade.currency,
        status=trade.status,
        hold_expires_at=trade.hold_expires_at,
        created_at=trade.created_at,
    )
