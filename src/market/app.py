"""The composition root: settings → adapters → services → routes. Nothing else knows everybody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import Scope

from market.console.ports import Console
from market.console.sql import SqlConsole
from market.kit.audit import SqlAudit
from market.kit.clock import SystemClock, TimeOrderedIds
from market.kit.concurrency.notifier import Notifier
from market.kit.db.database import Database
from market.kit.http.client_ip import ClientIpResolver, Network
from market.kit.http.fast_path import FastPath
from market.kit.http.head import HeadAsGet
from market.kit.http.idempotency import Idempotency
from market.kit.http.problems import EXCEPTION_HANDLERS, not_found_as_problem
from market.kit.http.request import (
    StrictJsonRequest,
    provide_caller,
    provide_client_address,
    provide_idempotent,
)
from market.kit.jobs import JobQueue, SqlJobLog
from market.kit.observability import logging
from market.kit.observability.access_log import AccessLogMiddleware
from market.kit.observability.logging import bind_path_ids
from market.kit.security.encryption import Encryptor
from market.kit.security.one_time_codes import SqlOneTimeCodes
from market.kit.security.rate_limits import NoRateLimits, SqlRateLimits
from market.ledger.service import Ledger
from market.ledger.sql import SqlTransfers
from market.members.auth.passwords import Argon2Passwords
from market.members.auth.throttling import AuthThrottle
from market.members.auth.tokens import JwtTokens
from market.members.http import ROUTES as MEMBER_ROUTES
from market.members.http import Authentication, caller_of
from market.members.oauth import client as oauth_client
from market.members.oauth.http import ROUTES as SOCIAL_ROUTES
from market.members.oauth.http import FlowCookie
from market.members.oauth.kakao import Kakao
from market.members.oauth.naver import Naver
from market.members.oauth.service import Providers, SocialSignIn
from market.members.service import Lifetimes, MemberService
from market.members.sql import SqlMembers, SqlSessions, SqlSocialAccounts
from market.notifications.service import NotificationService
from market.notifications.sql import SqlNotifications
from market.operations import DOCS_ASSETS, OPERATIONS_ROUTES
from market.outside import portone, social_providers, webhook_seal, webhook_sources
from market.payments.comparison import Comparison
from market.payments.completions import Completions
from market.payments.http import ROUTES as PAYMENT_ROUTES
from market.payments.inbox import SqlInbox
from market.payments.incident_book import SqlIncidents
from market.payments.limits import PaymentLimits
from market.payments.operators import OperatorDesk
from market.payments.portone.transport import connections
from market.payments.ports import Gateways, Seal, Sources
from market.payments.refunds import RefundService
from market.payments.service import PaymentService
from market.payments.sql import SqlCancellations, SqlPayments, SqlReceipts
from market.payments.sweep import Sweep
from market.payments.webhooks import WebhookReceiver
from market.products.drafts import DraftService
from market.products.drafts_sql import SqlDrafts
from market.products.express import fast_routes as product_fast_routes
from market.products.http import ROUTES as PRODUCT_ROUTES
from market.products.http import CatalogueReader
from market.products.images.pillow import PillowImageProcessor
from market.products.service import Inventory, ProductService
from market.products.sql import SqlPhotos, SqlProducts
from market.settings import Settings
from market.shared.clock import Clock
from market.shared.ids import Ids
from market.trades.express import fast_routes as trade_fast_routes
from market.trades.http import ROUTES as TRADE_ROUTES
from market.trades.http import Counter
from market.trades.service import Terms, TradeService
from market.trades.sql import SqlTrades
from market.web.errors import on_unknown_path
from market.web.routes import ROUTES as PAGE_ROUTES
from market.web.visitor import Shop

if TYPE_CHECKING:
    from market.kit.observability.tracing import Tracing

# What a changed trade is told on, by the database itself: see migration 0016.
TRADES_CHANGED = "trades_changed"
LARGEST_BODY = 256 * 1024
# Where a token has nothing to say, a bad one does no harm: who refreshes still sends the old one.
TOKENS_UNREAD = ("/api/auth/", "/webhooks/", "/health/", "/metrics", "/docs", "/openapi")


@dataclass(frozen=True, slots=True)
class Market:
    """Every service, wired."""

    db: Database
    clock: Clock
    idempotency: Idempotency
    sessions: SqlSessions
    members: MemberService
    rate_limits: SqlRateLimits
    auth_throttle: AuthThrottle
    codes: SqlOneTimeCodes
    job_log: SqlJobLog
    social: SocialSignIn
    flow_cookie: FlowCookie
    client_ips: ClientIpResolver
    metrics_networks: Sequence[Network]
    products: ProductService
    drafts: DraftService
    catalogue: CatalogueReader
    trades: TradeService
    counter: Counter
    payments: PaymentService
    refunds: RefundService
    payment_limits: PaymentLimits
    completions: Completions
    inbox: SqlInbox
    webhooks: WebhookReceiver
    seal: Seal
    sources: Sources
    sweep: Sweep
    ledger: Ledger
    comparison: Comparison
    operators: OperatorDesk
    console: Console
    notifications: NotificationService
    audit: SqlAudit
    notifier: Notifier
    shop: Shop


def assemble(
    settings: Settings,
    db: Database,
    gateways: Gateways,
    clock: Clock,
    ids: Ids,
    providers: Sequence[Kakao | Naver] = (),
    trace_headers: Callable[[], Mapping[str, str]] = dict,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Market:
    """Plugs adapters into services; the type checker proves that they fit. `trace_headers` are
    those of the trace that wakes a job; `pause` waits so many seconds for another request."""
    products, sessions, encryptor = SqlProducts(db), SqlSessions(db), Encryptor(settings.vault_keys)
    payments, cancellations = SqlPayments(db, encryptor), SqlCancellations(db, encryptor)
    incidents = SqlIncidents(db)
    inbox = SqlInbox(db, JobQueue(db, trace_headers), clock)
    idempotency = Idempotency(db, clock, settings.secret)
    listings = ProductService(db, products, SqlPhotos(db), PillowImageProcessor(), clock, ids)
    ledger, audit = Ledger(SqlTransfers(db)), SqlAudit(db)
    rate_limits = SqlRateLimits(db, clock, settings.secret)
    counted = rate_limits if settings.rate_limits else NoRateLimits()
    payment_limits = PaymentLimits(counted)
    codes = SqlOneTimeCodes(db, Encryptor(settings.vault_keys), clock)
    members = MemberService(
        transactions=db,
        members=SqlMembers(db),
        sessions=sessions,
        passwords=Argon2Passwords(),
        tokens=JwtTokens(settings.secret),
        audit=audit,
        clock=clock,
        ids=ids,
        lifetimes=Lifetimes(settings.access_life, settings.refresh_life),
    )
    notifications = NotificationService(SqlNotifications(db), clock)
    trades = TradeService(
        transactions=db,
        trades=SqlTrades(db),
        stock=Inventory(products),
        escrow=ledger,
        receipts=SqlReceipts(db),
        notifications=notifications,
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
        ledger=ledger,
        incidents=incidents,
        inbox=inbox,
        clock=clock,
        ids=ids,
        pause=pause,
    )
    refunds = RefundService(
        transactions=db,
        payments=payments,
        cancellations=cancellations,
        purchases=trades,
        gateways=gateways,
        incidents=incidents,
        audit=audit,
        looking=paying,
        clock=clock,
        ids=ids,
        allowed=settings.refunds_per_payment,
    )
    return Market(
        db=db,
        clock=clock,
        idempotency=idempotency,
        sessions=sessions,
        members=members,
        codes=codes,
        job_log=SqlJobLog(db),
        social=SocialSignIn(
            transactions=db,
            members=SqlMembers(db),
            sessions=sessions,
            accounts=SqlSocialAccounts(db),
            codes=codes,
            member_service=members,
            providers=Providers({one.name: one for one in providers}, settings.public_url),
            clock=clock,
            ids=ids,
        ),
        flow_cookie=FlowCookie(settings.public_url),
        rate_limits=rate_limits,
        auth_throttle=AuthThrottle(counted),
        client_ips=ClientIpResolver(settings.trusted_proxies),
        metrics_networks=settings.metrics_networks,
        products=listings,
        drafts=DraftService(db, SqlDrafts(db), clock, ids),
        catalogue=CatalogueReader(listings, trades),
        trades=trades,
        counter=Counter(trades, idempotency),
        payments=paying,
        refunds=refunds,
        payment_limits=payment_limits,
        completions=Completions(paying, payment_limits),
        inbox=inbox,
        webhooks=WebhookReceiver(payments, inbox, payment_limits, gateways),
        seal=webhook_seal(settings),
        sources=webhook_sources(settings),
        sweep=Sweep(payments, cancellations, trades, inbox, paying, refunds, clock),
        ledger=ledger,
        comparison=Comparison(payments, gateways, incidents, paying, clock),
        audit=audit,
        operators=OperatorDesk(db, incidents, audit, trades, paying, clock),
        console=SqlConsole(db),
        notifications=notifications,
        notifier=Notifier(db.listen_connection if db.can_listen else None, TRADES_CHANGED),
        shop=Shop(settings.secret, settings.public_url),
    )


@asynccontextmanager
async def open_market(
    settings: Settings, dsn: str, name: str, tracing: "Tracing | None" = None
) -> AsyncIterator[Market]:
    """The market on a database and its gateways, for as long as it is needed."""
    db = await Database.connect(dsn, size=settings.pool_size, name=name)
    clock = SystemClock()
    try:
        async with (
            connections() as to_v1,
            connections() as to_v2,
            oauth_client.http_client() as to_providers,
        ):
            gateways = portone(settings, to_v1, to_v2, clock)
            providers = social_providers(settings, to_providers, clock)
            trace_headers: Callable[[], Mapping[str, str]] = dict
            if tracing is not None:
                tracing.instrument_client(to_v1, "V1")
                tracing.instrument_client(to_v2, "V2")
                trace_headers = tracing.trace_headers
            ids = TimeOrderedIds()
            market = assemble(settings, db, gateways, clock, ids, providers, trace_headers)
            try:
                yield market
            finally:
                await market.notifier.close()
    finally:
        await db.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)


def traced(settings: Settings) -> "Tracing | None":
    """Traces, where a collector is named; and then every line of the log tells its span."""
    if not settings.tracing:
        return None
    from market.kit.observability.tracing import (  # noqa: PLC0415 # off, it is not even loaded
        Tracing,
        add_trace_ids,
    )

    logging.configure(add_trace_ids)
    return Tracing.to_collector("wanted-market")


def web_app(
    opening: Callable[[], AbstractAsyncContextManager[Market]],
    tracing: "Tracing | None" = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Litestar:
    """The HTTP face of a market that is opened when the server starts and closed when it stops;
    `stopping` tells streams without an end to come to one."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opening() as market:
            app.state.market = market
            yield

    app = Litestar(
        route_handlers=[
            *MEMBER_ROUTES,
            *SOCIAL_ROUTES,
            *PRODUCT_ROUTES,
            *TRADE_ROUTES,
            *PAYMENT_ROUTES,
            *OPERATIONS_ROUTES,
            *PAGE_ROUTES,
        ],
        lifespan=[lifespan],
        state=State({"stopping": stopping}),
        dependencies=_dependencies(),
        middleware=[DefineMiddleware(Authentication, unread=TOKENS_UNREAD)],
        exception_handlers={
            **EXCEPTION_HANDLERS,
            NotFoundException: on_unknown_path,
            MethodNotAllowedException: on_unknown_path,
        },
        before_request=bind_path_ids,
        after_request=not_found_as_problem,
        request_class=StrictJsonRequest,
        request_max_body_size=LARGEST_BODY,
        openapi_config=_openapi(),
        logging_config=None,
    )
    fast_routes = (
        *product_fast_routes(lambda: app.state.market.catalogue),
        *trade_fast_routes(lambda: app.state.market.counter, caller_of),
    )
    # The access log is around everything: as a middleware it would not see what is refused before a
    # route is found, nor what another middleware refuses.
    app.asgi_handler = AccessLogMiddleware(HeadAsGet(FastPath(app.asgi_handler, fast_routes)))
    if tracing is not None:
        app.asgi_handler = tracing.instrument_app(app.asgi_handler)
    return app


def _dependencies() -> dict[str, Provide]:
    """What handlers may ask for by name, all of it from the market that was opened."""

    def part(name: str) -> Provide:
        async def provide(scope: Scope) -> Any:
            # Asked for the application's State, Litestar would copy it each time.
            return getattr(scope["litestar_app"].state.market, name)

        return Provide(provide)

    names = (
        *("members", "products", "drafts", "trades", "payments", "refunds"),
        *("payment_limits", "completions", "webhooks"),
        *("counter", "catalogue", "seal", "sources", "clock", "idempotency"),
        *("auth_throttle", "client_ips", "social", "flow_cookie"),
        *("notifications", "notifier", "shop"),
        *("console", "operators", "ledger"),
    )
    return {name: part(name) for name in names} | {
        "own_trades": part("trades"),
        "market_db": part("db"),
        "caller": Provide(provide_caller),
        "idempotent": Provide(provide_idempotent),
        "client_address": Provide(provide_client_address),
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
