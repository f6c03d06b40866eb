"""`make demo`: the whole market on one machine, for somebody who sees it for the first time."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

import httpx

from market.app import open_market
from market.kit.db import embedded
from market.kit.db.migrate import migrate
from market.kit.tcp import ensure_port_free
from market.members.domain import EmailTaken
from market.settings import Settings
from market.shared.money import Money

PASSWORD = "wanted-market"  # noqa: S105 # of the sample members, told to everybody
SAMPLES = (
    (
        "bora@example.com",
        "보라",
        (
            ("원목 의자", 45_000, 2, "두 개 있어요. 하나씩도 팝니다."),
            ("캠핑 랜턴", 28_000, 1, "세 번 썼어요."),
        ),
    ),
    (
        "jun@example.com",
        "준",
        (
            ("기계식 키보드", 89_000, 1, "갈축, 키캡 새것."),
            ("러닝화 270", 52_000, 3, "상자째 새것."),
        ),
    ),
    ("mina@example.com", "미나", ()),
)
# Answers for the money: sees every payment, may send any of it back (P8).
OPERATOR = "operator@example.com"
# How long a part may take to answer for the first time, and to end when asked to.
READY_WITHIN_S = 60
ENDS_WITHIN_S = 15


def run(settings: Settings) -> int:
    """Runs everything until Ctrl-C, then stops everything; an exit code. Raises PortInUse."""
    ensure_port_free(settings.host, settings.port, "MARKET_PORT")
    ensure_port_free("127.0.0.1", settings.sandbox_port, "SANDBOX_PORT")
    # Ctrl-C and a plain `kill` both end in the `finally` below.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    parts: list[subprocess.Popen[bytes]] = []
    try:
        dsn = _database(settings)
        env = {**os.environ, "DATABASE_URL": dsn, "MARKET_DATA": str(settings.data)}
        _say("starting the PortOne sandbox")
        parts.append(_start(["portone_sandbox"], env | _sandbox_environment(settings)))
        _await(f"http://127.0.0.1:{settings.sandbox_port}/health", parts)
        _say("starting the market and its worker")
        env |= _stand_ins(settings)
        parts.append(_start(["market", "worker"], env))
        parts.append(_start(["market", "serve"], env))
        _await(f"http://127.0.0.1:{settings.port}/health/ready", parts)
        _welcome(settings)
        return _watch(parts)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(parts)


def _database(settings: Settings) -> str:
    if settings.database_url:
        dsn = settings.database_url
    else:
        _say(f"starting PostgreSQL (data in {_shown(settings)}/postgres)")
        dsn = embedded.start(settings.postgres_directory)
    _say("bringing the schema up to date")
    migrate(dsn)
    asyncio.run(_seed(settings, dsn))
    return dsn


async def _seed(settings: Settings, dsn: str) -> None:
    async with open_market(settings, dsn, "market demo") as market:
        password_hash = await market.members.hash_password(PASSWORD)
        with suppress(EmailTaken):
            await market.members.sign_up(OPERATOR, password_hash, "하나")
            await market.members.set_operator(OPERATOR, "demo", "to try it", operator=True)
        for email, nickname, goods in SAMPLES:
            try:
                member, _ = await market.members.sign_up(email, password_hash, nickname)
            except EmailTaken:
                continue  # here from an earlier run, with whatever became of it
            _say(f"adding the sample member {email} with {len(goods)} products")
            for name, price, quantity, description in goods:
                await market.products.list_new(
                    member.person, name, Money(price), quantity, description
                )


def _sandbox_environment(settings: Settings) -> dict[str, str]:
    return {
        "SANDBOX_PORT": str(settings.sandbox_port),
        "SANDBOX_DATA": str(settings.sandbox_state),
        # Its page shows refused calls; here they would drown what the demo says.
        "SANDBOX_LOG": os.environ.get("SANDBOX_LOG", "none"),
        "SANDBOX_WEBHOOK_URL_V1": f"http://127.0.0.1:{settings.port}/webhooks/portone/v1",
        "SANDBOX_WEBHOOK_URL_V2": f"http://127.0.0.1:{settings.port}/webhooks/portone/v2",
    }


def _stand_ins(settings: Settings) -> dict[str, str]:
    """The sandbox's own social providers, where none is configured."""
    sandbox = f"http://127.0.0.1:{settings.sandbox_port}"
    if settings.kakao or settings.naver:
        return {}
    keys = httpx.get(f"{sandbox}/control/credentials", timeout=5).json()["oauth"]
    return {
        f"{name.upper()}_{word}": value
        for name in ("kakao", "naver")
        for word, value in (
            ("CLIENT_ID", keys[name]["client_id"]),
            ("CLIENT_SECRET", keys[name]["client_secret"]),
            ("AUTH_URL", f"{sandbox}/oauth/{name}"),
            ("API_URL", f"{sandbox}/oauth/{name}"),
        )
    }


def _start(module: Sequence[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches this process alone, and it stops the others in order.
    command = [sys.executable, "-m", *module]
    return subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603 # fixed words


def _await(url: str, parts: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if _fallen(parts):
            raise SystemExit("A part could not start; what it said is above.")
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} did not answer within {READY_WITHIN_S} seconds.")


def _watch(parts: Sequence[subprocess.Popen[bytes]]) -> int:
    """Until a part falls."""
    while not (fallen := _fallen(parts)):
        time.sleep(0.5)
    _say(f"a part has ended by itself, so everything stops: {fallen[0].args!r}")
    return 1


def _fallen(parts: Sequence[subprocess.Popen[bytes]]) -> "list[subprocess.Popen[bytes]]":
    return [part for part in parts if part.poll() is not None]


def _stop(parts: Sequence[subprocess.Popen[bytes]]) -> None:
    """The last started first, so that nobody loses what he still needs."""
    if parts:
        _say("stopping everything")
    for part in reversed(parts):
        part.terminate()
        try:
            part.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()


def _interrupt(_: int, __: FrameType | None) -> None:
    # Once: whoever presses Ctrl-C twice, or signals everybody, must not leave half of it behind.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    raise KeyboardInterrupt


def _welcome(settings: Settings) -> None:
    market = f"http://127.0.0.1:{settings.port}"
    sandbox = f"http://127.0.0.1:{settings.sandbox_port}"
    print(  # this is what the demo is for
        f"""
  Wanted Market is open.

    The shop                    {market}
      the operators' console    {market}/console
    API and its documentation   {market}/docs
    PortOne sandbox             {sandbox}
      what it was paid          {sandbox}/control/payments
      what it sent              {sandbox}/control/webhooks

    Members   {", ".join(email for email, _, _ in SAMPLES)}
    Operator  {OPERATOR}
    Password  {PASSWORD}
    or by the stand-ins of Kakao and Naver, in a browser:
              {market}/api/auth/social/kakao
              {market}/api/auth/social/naver

  README.md has the curl lines of a whole sale. Ctrl-C stops everything; the data stays in
  {_shown(settings)}.
""",
        flush=True,
    )


def _shown(settings: Settings) -> str:
    return os.path.relpath(settings.data)


def _say(what: str) -> None:
    print(f"· {what}", flush=True)  # this is what the demo is for
