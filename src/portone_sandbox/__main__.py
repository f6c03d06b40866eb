"""`portone-sandbox`: run the sandbox on one local port, with its state in one file."""

import asyncio
import gc
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import click
import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server

from portone_sandbox import __version__
from portone_sandbox.app import Application, build
from portone_sandbox.core.state import SandboxState
from portone_sandbox.core.store import Store
from portone_sandbox.terminal import LogLevel, printer


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="portone-sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8100,
    show_default=True,
    envvar="SANDBOX_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 finds a free one.",
)
@click.option(
    "--data",
    default="./var/sandbox.sqlite",
    show_default=True,
    envvar="SANDBOX_DATA",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The SQLite file that holds everything.",
)
@click.option(
    "--webhook-url-v1",
    envvar="SANDBOX_WEBHOOK_URL_V1",
    show_envvar=True,
    help="Where V1 webhooks go, unless a payment names its own notice_url.",
)
@click.option(
    "--webhook-url-v2",
    envvar="SANDBOX_WEBHOOK_URL_V2",
    show_envvar=True,
    help="Where V2 webhooks go, unless a payment names its own noticeUrls.",
)
@click.option(
    "--seed",
    envvar="SANDBOX_SEED",
    show_envvar=True,
    type=int,
    help="Makes ids and tokens the same in every run.",
)
@click.option(
    "--log",
    default="all",
    show_default=True,
    envvar="SANDBOX_LOG",
    show_envvar=True,
    type=click.Choice(["all", "refused", "none"]),
    help="Which calls to print, with the reason of each refusal.",
)
@click.option("--end-with-stdin", is_flag=True, help="End when the standard input ends.")
@click.option("--quiet", is_flag=True, help="The same as --log none.")
def main(
    host: str,
    port: int,
    data: Path,
    webhook_url_v1: str | None,
    webhook_url_v2: str | None,
    seed: int | None,
    log: LogLevel,
    *,
    end_with_stdin: bool,
    quiet: bool,
) -> None:
    """A local PortOne: both REST APIs (/v1, /v2), webhooks, banks and faults (/control).

    Needs no account and no network. The keys to use are at /control/credentials.
    """
    flags = {"webhook_url_v1": webhook_url_v1, "webhook_url_v2": webhook_url_v2}
    address, port = _free_address(host, port)
    given = {name: value for name, value in flags.items() if value is not None}
    sandbox = _state(data, given, seed)
    sandbox.journal.on_entry = printer("none" if quiet else log)
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"portone-sandbox listens on http://{shown}:{port} (state in {data})")
    asyncio.run(_serve(sandbox, address, port, end_with_stdin=end_with_stdin))


def _free_address(host: str, port: int) -> tuple[str, int]:
    """The host's address, and the port, or a free one for 0.

    Ends the program with one line if they cannot be used.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address[:2], family=family) as probe:
            return str(address[0]), int(probe.getsockname()[1])
    except socket.gaierror as error:
        _fail(f"{host} is no address to listen on ({error.strerror}): set --host to another one")
    except OSError as error:
        _fail(
            f"port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}):"
            " set SANDBOX_PORT or --port to a free one"
        )


def _state(data: Path, flags: Mapping[str, object], seed: int | None) -> SandboxState:
    try:
        return SandboxState(_open(data), flags, seed=seed)
    except msgspec.ValidationError as error:
        _fail(f"{error}: set --webhook-url-v1 and --webhook-url-v2 to URLs")


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)


def _open(data: Path) -> Store:
    """Open the file, or report in one line why not: in use, or not writable."""
    try:
        return Store(data)
    except (sqlite3.Error, OSError) as error:
        _fail(f"{data} cannot be used ({error}): set SANDBOX_DATA or --data to another file")


async def _serve(sandbox: SandboxState, address: str, port: int, *, end_with_stdin: bool) -> None:
    """Serve until SIGTERM or SIGINT, or until the standard input ends."""
    app = build(sandbox)
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGI,
        log_enabled=False,
        websockets=False,
    )
    # Exempt imported objects from garbage collection.
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, app, server.stop)
    if end_with_stdin:
        loop.add_reader(sys.stdin.fileno(), _end_at_end, app, server.stop)
    await server.serve()
    sandbox.store.close()
    # The server's threads may still be busy with idle connections. They panic when they meet an
    # event loop or an interpreter that is gone, so the process ends before either is taken down.
    sys.stdout.flush()
    os._exit(0)


def _end_at_end(app: Application, stop: Callable[[], object]) -> None:
    """End once nothing more can come on the standard input; what comes is ignored."""
    stdin = sys.stdin.fileno()
    if not os.read(stdin, 4096):
        asyncio.get_running_loop().remove_reader(stdin)
        _end(app, stop)


def _end(app: Application, stop: Callable[[], object]) -> None:
    """Release held requests first: the server waits for running requests."""
    app.close()
    stop()


if __name__ == "__main__":
    main()
