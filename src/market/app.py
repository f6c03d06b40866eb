"""The composition root: settings → adapters → services → routes. Nothing else knows everybody."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig

from market.kit import logs
from market.kit.db import Database
from market.kit.http import StrictRequest, provide_caller, provide_once
from market.kit.idempotency import Idempotency
from market.kit.jobs import WakeUps
from market.kit.logs import RequestLog, about
from market.kit.problems import EXCEPTION_HANDLERS, only_problems
from market.kit.system import SystemClock, TimeOrderedIds
from market.kit.vault import Vault
from market.ledger.service import Ledger
from market.ledger.sql import SqlTransfers
from market.members.http import ROUTES as MEMBER_ROUTES
from market.members.http import Authentication
from market.members.passwords import Argon2Passwords
from market.members.service import Lifetimes, MemberService
from market.members.sql import SqlMembers, SqlSessions
from market.members.tokens import JwtTokens
from market.operations import DOCS_ASSETS, OPERATIONS_ROUTES
from market.payments.comparison import Comparison
from market.payments.http import ROUTES as PAYMENT_ROUTES
from market.payments.inbox import SqlInbox
from market.payments.incident_book import SqlIncidents
from market.payments.operators import OperatorDesk
from market.payments.portone.signature import WebhookSeal
from market.payments.portone.transport import connections
from market.payments.portone.v1 import PortOneV1, V1Account
from market.payments.portone.v2 import PortOneV2, V2Account
from market.payments.ports import Gateways, Seal
from market.payments.refunds import RefundService
from market.payments.service import PaymentService
from market.payments.sql import SqlCancellations, SqlPayments, SqlReceipts
from market.payments.sweep import Sweep
from market.products.http import ROUTES as PRODUCT_ROUTES
from market.products.service import ProductService, StockRoom
from market.products.sql import SqlProducts
from market.settings import Settings, SettingsError
from market.shared.clock import Clock
from market.shared.ids import Ids
from market.trades.http import ROUTES as TRADE_ROUTES
from market.trades.service import Terms, TradeService
from market.trades.sql import SqlTrades

if TYPE_CHECKING:
    from market.kit.tracing import Tracing

LARGEST_BODY = 256 * 1024
# Where a token has nothing to say, a bad one does no harm: who refreshes still sends the old one.
NO_TOKEN_READ = ["^/api/auth/", "^/webhooks/", "^/health/", "^/metrics", "^/docs", "^/openapi"]


@dataclass(frozen=True, slots=True)
class Market:
    """Every service, wired."""

    db: Database
    clock: Clock
    idempotency: Idempotency
    sessions: SqlSessions
    members: MemberService
    products: ProductService
    trades: TradeService
    payments: PaymentService
    refunds: RefundService
    inbox: SqlInbox
    seal: Seal
    sweep: Sweep
    ledger: Ledger
    comparison: Comparison
    operators: OperatorDesk


def assemble(
    settings: Settings,
    db: Database,
    gateways: Gateways,
    clock: Clock,
    ids: Ids,
    carried: Callable[[], Mapping[str, str]] = dict,
) -> Market:
    """Plugs adapters into services; the type checker proves that they fit. `carried` is what a job
    is told of the trace that wakes it."""
    products, sessions, payments = SqlProducts(db), SqlSessions(db), SqlPayments(db)
    cancellations, incidents = SqlCancellations(db, Vault(settings.vault_keys)), SqlIncidents(db)
    inbox = SqlInbox(db, WakeUps(db, carried), clock)
    books = Ledger(SqlTransfers(db))
    trades = TradeService(
        transactions=db,
        trades=SqlTrades(db),
        stock=StockRoom(products),
        escrow=books,
        receipts=SqlReceipts(db),
        clock=clock,
        ids=ids,
        terms=Terms(settings.hold, settings.deposit, settings.fee_bps),
    )
    paying = PaymentService(
        transactions=db,
        payments=payments,
        cancellations=cancellations,
        purchases=trades,
        gateways=gateways,
        books=books,
        incidents=incidents,
        inbox=inbox,
        clock=clock,
        ids=ids,
    )
    refunds = RefundService(
        transactions=db,
        payments=payments,
        cancellations=cancellations,
        purchases=trades,
        gateways=gateways,
        incidents=incidents,
        looking=paying,
        clock=clock,
        ids=ids,
    )
    return Market(
        db=db,
        clock=clock,
        idempotency=Idempotency(db, clock, settings.secret),
        sessions=sessions,
        members=MemberService(
            transactions=db,
            members=SqlMembers(db),
            sessions=sessions,
            passwords=Argon2Passwords(),
            tokens=JwtTokens(settings.secret),
            clock=clock,
            ids=ids,
            lifetimes=Lifetimes(settings.access_life, settings.refresh_life),
        ),
        products=ProductService(db, products, clock, ids),
        trades=trades,
        payments=paying,
        refunds=refunds,
        inbox=inbox,
        seal=webhook_seal(settings),
        sweep=Sweep(payments, cancellations, trades, inbox, paying, refunds, clock),
        ledger=books,
        comparison=Comparison(payments, gateways, incidents, paying, clock),
        operators=OperatorDesk(db, incidents, clock),
    )


@asynccontextmanager
async def open_market(
    settings: Settings, dsn: str, name: str, tracing: "Tracing | None" = None
) -> AsyncIterator[Market]:
    """The market on a database and its gateways, for as long as it is needed."""
    db = await Database.connect(dsn, size=settings.pool_size, name=name)
    clock = SystemClock()
    try:
        async with connections() as to_v1, connections() as to_v2:
            gateways = portone(settings, to_v1, to_v2, clock)
            if tracing is None:
                yield assemble(settings, db, gateways, clock, TimeOrderedIds())
            else:
                tracing.on(to_v1, "V1")
                tracing.on(to_v2, "V2")
                yield assemble(settings, db, gateways, clock, TimeOrderedIds(), tracing.carried)
    finally:
        await db.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


def traced(settings: Settings) -> "Tracing | None":
    """Traces, where a collector is named; and then every line of the log tells its span."""
    if not settings.tracing:
        return None
    from market.kit.tracing import Tracing, noted  # noqa: PLC0415 # off, it is not even loaded

    logs.configure(noted)
    return Tracing.to_collector("wanted-market")


def portone(
    settings: Settings, to_v1: httpx.AsyncClient, to_v2: httpx.AsyncClient, clock: Clock
) -> Gateways:
    """Both versions, whichever is configured: a payment stays on the one it began on."""
    v1 = PortOneV1(v1_account(settings), to_v1, clock)
    v2 = PortOneV2(v2_account(settings), to_v2, clock)
    return Gateways(v1, v2) if settings.portone_version == "V1" else Gateways(v2, v1)


def webhook_seal(settings: Settings) -> Seal:
    """Raises SettingsError."""
    try:
        return WebhookSeal.of(*settings.portone_v2.webhook_secrets)
    except ValueError as cause:
        raise SettingsError(f"PORTONE_V2_WEBHOOK_SECRET: {cause}.") from cause


def v1_account(settings: Settings) -> V1Account:
    v1 = settings.portone_v1
    return V1Account(
        api_url=v1.api_url,
        key=v1.key,
        secret=v1.secret,
        code=v1.code,
        channel_key=v1.channel_key,
        sdk_url=v1.sdk_url,
        test=settings.portone_test,
        notice_url=f"{settings.public_url}/webhooks/portone/v1",
    )


def v2_account(settings: Settings) -> V2Account:
    v2 = settings.portone_v2
    return V2Account(
        api_url=v2.api_url,
        secret=v2.secret,
        store_id=v2.store_id,
        channel_key=v2.channel_key,
        sdk_url=v2.sdk_url,
        test=settings.portone_test,
        notice_url=f"{settings.public_url}/webhooks/portone/v2",
    )


def web_app(
    opening: Callable[[], AbstractAsyncContextManager[Market]], tracing: "Tracing | None" = None
) -> Litestar:
    """The HTTP face of a market that is opened when the server starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opening() as market:
            app.state.market = market
            yield

    app = Litestar(
        route_handlers=[
            *MEMBER_ROUTES,
            *PRODUCT_ROUTES,
            *TRADE_ROUTES,
            *PAYMENT_ROUTES,
            *OPERATIONS_ROUTES,
        ],
        lifespan=[lifespan],
        dependencies=_dependencies(),
        middleware=[
            PrometheusConfig(app_name="market", prefix="market", group_path=True).middleware,
            DefineMiddleware(Authentication, exclude=NO_TOKEN_READ),
        ],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        before_request=about,
        after_request=only_problems,
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        openapi_config=_openapi(),
        logging_config=None,
    )
    # Around the routes, not among their middleware: what matches no route passes through it too.
    app.asgi_handler = RequestLog(app.asgi_handler)
    if tracing is not None:
        app.asgi_handler = tracing.around(app.asgi_handler)
    return app


def _dependencies() -> dict[str, Provide]:
    """What handlers may ask for by name, all of it from the market that was opened."""

    def part(name: str) -> Provide:
        async def provide(state: State) -> Any:
            return getattr(state.market, name)

        return Provide(provide)

    names = (
        *("members", "products", "trades", "payments", "refunds"),
        *("inbox", "seal", "clock", "idempotency"),
    )
    return {name: part(name) for name in names} | {
        "own_trades": part("trades"),
        "market_db": part("db"),
        "caller": Provide(provide_caller),
        "once": Provide(provide_once),
    }


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Wanted Market",
        version="0.1.0",
        description="A marketplace where every purchase is really paid for, through PortOne.",
        path="/docs",
        render_plugins=[
            SwaggerRenderPlugin(
                path="/",
                js_url=f"{DOCS_ASSETS}/swagger-ui-bundle.js",
                css_url=f"{DOCS_ASSETS}/swagger-ui.css",
                standalone_preset_js_url=f"{DOCS_ASSETS}/swagger-ui-standalone-preset.js",
                favicon="<link rel='icon' href='data:,'>",
            )
        ],
        components=Components(
            security_schemes={
                "BearerToken": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            }
        ),
        use_handler_docstrings=True,
    )
