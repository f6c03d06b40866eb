"""A V1 gateway that answers when it is let go, and tells what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WITHIN_S = 60
_TOKEN = {"access_token": "t", "now": 0, "expired_at": 1800}


class SlowGateway:
    """Hands out tokens at once; every other answer waits for `let_go`."""

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()
        self.headers: list[dict[str, str]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                gateway.headers.append({name.lower(): v for name, v in self.headers.items()})
                if self.path == "/users/getToken":
                    self._answer(_TOKEN)
                    return
                gateway.asked.set()
                gateway.let_go.wait(WITHIN_S)
                self._answer({"merchant_uid": "m", "amount": 1000})

            def do_GET(self) -> None:
                self.do_POST()

            def _answer(self, response: Any) -> None:
                body = json.dumps({"code": 0, "message": None, "response": response}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: the test looks at what was asked."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def slow_gateway() -> Iterator[SlowGateway]:
    gateway = SlowGateway()
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.close()
