"""How long signing in takes with a wrong password: for a member, and for nobody.

Answers that differ in time would tell who is a member. Both medians and their difference are
printed beside the spread, in which the difference should drown. Against a running market with
MARKET_RATE_LIMITS=off: `.venv/bin/python bench/sign_in.py [URL] [TRIES]`.
"""

import random
import statistics
import sys
import time
from uuid import uuid4

import httpx


def measure(url: str, tries: int) -> None:
    known = f"{uuid4().hex}@example.com"
    with httpx.Client(base_url=url, timeout=60) as http:
        body = {"email": known, "password": uuid4().hex, "nickname": "known"}
        http.post("/api/auth/signup", json=body).raise_for_status()
        took: dict[str, list[float]] = {"known": [], "unknown": []}
        order = [name for name in took for _ in range(tries)]
        random.shuffle(order)  # a machine that slows down must not slow one of them alone
        for name in order:
            email = known if name == "known" else f"{uuid4().hex}@example.com"
            began = time.perf_counter()
            answer = http.post("/api/auth/login", json={"email": email, "password": "a wrong one"})
            took[name].append((time.perf_counter() - began) * 1000)
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                raise SystemExit(f"{answer.status_code}: {answer.text}")
    for name, times in took.items():
        low, median, high = statistics.quantiles(times, n=4)
        print(f"{name:>8}: median {median:.2f} ms, quartiles {low:.2f} to {high:.2f}")
    apart = statistics.median(took["known"]) - statistics.median(took["unknown"])
    print(f"   apart: {apart:+.2f} ms over {tries} tries each")


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv))
    measure(arguments.get(1, "http://127.0.0.1:8000"), int(arguments.get(2, "200")))
