"""What the tests call: both APIs with their credentials, and the control panel."""

from datetime import datetime
from typing import Any

import httpx

Json = dict[str, Any]


class Client:
    """One sandbox, seen from a test."""

    def __init__(self, url: str, watch: Any = None, headers: dict[str, str] | None = None) -> None:
        hooks = {"response": [watch]} if watch else {}
        self.http = httpx.Client(
            base_url=url, trust_env=False, timeout=30, event_hooks=hooks, headers=headers
        )
        self.keys = self.http.get("/control/credentials").json()
        self._token: str | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()

    # control

    def control(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """A control call that must answer `status`."""
        answer = self.http.request(method, f"/control/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def set(self, **settings: object) -> None:
        """Turn switches."""
        self.control("PUT", "settings", settings)

    def pay(self, payment_id: str, **more: object) -> Json:
        """The buyer at the window."""
        result: Json = self.control("POST", "pay", {"payment_id": payment_id, **more})
        return result

    def advance(self, **how: object) -> None:
        """Move the clock."""
        seconds = sum(
            float(str(v)) * {"minutes": 60, "hours": 3600}.get(k, 1) for k, v in how.items()
        )
        self.control("POST", "clock", {"advance": seconds})
        self._token = None  # it may have ended

    def fault(
        self, fault: str, times: int | None = 1, seconds: float | None = None, **match: str
    ) -> None:
        """Break something."""
        rule = {"fault": fault, "times": times, "seconds": seconds, "match": match}
        self.control("POST", "faults", rule, 201)

    def settle(self) -> None:
        """Wait until no webhook is due."""
        assert self.control("POST", "webhooks/settle", {})["settled"]

    def sends(self) -> list[Json]:
        """The log of every webhook."""
        self.settle()
        items: list[Json] = self.control("GET", "webhooks")["items"]
        return items

    # V1

    @property
    def token(self) -> str:
        """A V1 token."""
        if self._token is None:
            keys = {name: self.keys["v1"][name] for name in ("imp_key", "imp_secret")}
            answer = self.http.post("/v1/users/getToken", json=keys)
            self._token = str(answer.json()["response"]["access_token"])
        return self._token

    def v1(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """A V1 call with its token."""
        headers = {"Authorization": self.token, **more.pop("headers", {})}
        return self.http.request(method, f"/v1{path}", json=body, headers=headers, **more)

    def v1_ok(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """A V1 call that must succeed; answers `response`."""
        answer = self.v1(method, path, body, **more)
        assert answer.status_code == 200, answer.text
        assert answer.json()["code"] == 0, answer.text
        return answer.json()["response"]

    def v1_paid(self, merchant_uid: str, amount: int = 1000, **more: object) -> str:
        """A paid V1 payment; answers its imp_uid."""
        self.v1_ok("POST", "/payments/prepare", {"merchant_uid": merchant_uid, "amount": amount})
        return str(self.pay(merchant_uid, **more)["imp_uid"])

    def v1_account(self, merchant_uid: str, amount: int = 1000, **more: object) -> Json:
        """A V1 virtual account."""
        due = self.control("GET", "clock")["now"]
        body = {
            "channel_key": self.keys["v1"]["channel_key"],
            "merchant_uid": merchant_uid,
            "amount": amount,
            "vbank_code": "088",
            "vbank_due": _unix(due) + 86400,
            **more,
        }
        shown: Json = self.v1_ok("POST", "/vbanks", body)
        return shown

    # V2

    def v2(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """A V2 call with its secret."""
        secret = {"Authorization": f"PortOne {self.keys['v2']['api_secret']}"}
        headers = {**secret, **more.pop("headers", {})}
        return self.http.request(method, f"/v2{path}", json=body, headers=headers, **more)

    def v2_ok(self, method: str, path: str, body: object = None, **more: Any) -> Json:
        """A V2 call that must succeed."""
        answer = self.v2(method, path, body, **more)
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    def v2_paid(self, payment_id: str, amount: int = 1000, **more: object) -> Json:
        """A V2 payment registered, and what the buyer does at its window."""
        body = {"totalAmount": amount, "currency": "KRW"}
        self.v2_ok("POST", f"/payments/{payment_id}/pre-register", body)
        return self.pay(payment_id, **more)


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
