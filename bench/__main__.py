"""What the market does in a second, beside what else would do the same job.

    python -m bench [PART …] [--out FILE]

Parts: purchase, checkout, catalogue, latency, growth, sandbox, inbox; without any, all of them.
Each runs on an embedded PostgreSQL of its own with fsync and synchronous_commit on, prints its
figures, and ends with `market verify`. Figures are ratios wherever there is something to compare
with: sides take turns, and a ratio is the median of the rounds' ratios.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench import catalogue, checkout, growth, latency, purchase
from bench.figures import Figures, rows
from bench.stand import WORKERS, Cluster, cluster
from bench.targets import table

PARTS: Mapping[str, Callable[[Cluster], Figures]] = {
    "purchase": purchase.run,
    "checkout": checkout.run,
    "catalogue": catalogue.run,
    "latency": latency.run,
    "growth": growth.run,
}
SCRIPTS = ("sandbox", "inbox")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join([*PARTS, *SCRIPTS]))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    wanted = parser.parse_args()
    unknown = set(wanted.parts) - {*PARTS, *SCRIPTS}
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    parts = wanted.parts or [*PARTS, *SCRIPTS]
    figures: Figures = {"machine": _machine()}
    for part in parts:
        print(f"· {part}", flush=True)
        if part in SCRIPTS:
            subprocess.run([sys.executable, f"bench/{part}.py"], check=False)  # noqa: S603
            continue
        began = time.monotonic()
        with cluster() as stand:
            figures[part] = PARTS[part](stand)
        for name, value in rows({part: figures[part]}):
            print(f"  {name:<44} {value}", flush=True)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
        if wanted.out:
            wanted.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False))
    print(f"\n{table(figures)}")


def _machine() -> Figures:
    return {
        "cores": WORKERS,
        "python": platform.python_version(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
