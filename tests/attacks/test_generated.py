"""Requests that nobody would write, generated from the OpenAPI document, as four kinds of people:
never a server error, and never an answer that the document does not have.

`make fuzz` looks longer: ATTACK_EXAMPLES says how many requests it makes of each operation.
"""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from market.app import web_app
from tests.attacks.conftest import PATIENCE_S, Siege

EXAMPLES = int(os.environ.get("ATTACK_EXAMPLES", "8"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
schema = schemathesis.openapi.from_dict(
    web_app(nullcontext).openapi_schema.to_schema()  # type: ignore[arg-type] # not run
)
# One example per edge of each parameter: for `make fuzz`.
schema.config.phases.coverage.enabled = "ATTACK_EXAMPLES" in os.environ

ROLES = ("nobody", "stranger", "buyer", "seller")
NAMES = {"product_id": "product", "trade_id": "trade", "payment_id": "payment"}


@dataclass(frozen=True)
class Cast:
    """Who is there, by their tokens, and a sale between two of them."""

    url: str
    tokens: dict[str, str | None]
    ids: dict[str, str]

    def headers(self, role: str) -> dict[str, str]:
        token = self.tokens[role]
        return {"Authorization": f"Bearer {token}"} if token else {}


@pytest.fixture(scope="session")
def cast(siege: Siege) -> Iterator[Cast]:
    url = siege.market.servers[1]
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as http:

        def post(path: str, body: Any, role: str = "nobody") -> Any:
            answer = http.post(path, json=body, headers=made.headers(role))
            return answer.raise_for_status().json()

        made = Cast(url, {"nobody": None}, {})
        for role in ROLES[1:]:
            who = {"email": f"{role}@generated.test", "password": "a password", "nickname": role}
            made.tokens[role] = post("/api/auth/signup", who)["access_token"]
        listed = {"name": "chair", "price": 1000, "quantity": 5}
        made.ids["product"] = post("/api/products", listed, "seller")["id"]
        trade = post(f"/api/products/{made.ids['product']}/trades", None, "buyer")["id"]
        payment = post(f"/api/trades/{trade}/payment", {"method": "CARD"}, "buyer")["id"]
        made.ids.update(trade=trade, payment=payment)
        yield made


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="ATTACK_EXAMPLES" not in os.environ,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_gets_an_answer_that_is_not_in_the_document(
    case: schemathesis.Case[Any], cast: Cast
) -> None:
    # Chosen by the case itself, so that one that fails fails again.
    chosen = crc32(repr((case.path_parameters, case.query, case.body)).encode())
    role = ROLES[chosen % len(ROLES)]
    if chosen // len(ROLES) % 3:
        for name in NAMES.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = cast.ids[NAMES[name]]
    case.call_and_validate(
        base_url=cast.url, headers=cast.headers(role), checks=CHECKS, timeout=PATIENCE_S
    )
