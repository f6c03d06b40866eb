"""`make mutation`: takes each safeguard out in turn, in a copy of the tree; its tests must go red.

`make mutation ONLY=text` tries those whose name or file has the text in it. Each test is also run
with every safeguard in place: a test that is always red proves nothing.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio.plugin
import pytest_timeout  # type: ignore[import-untyped]
from prometheus_client import REGISTRY

import market.cli  # noqa: F401 # and with it every library of the market
from tests.support.databases import Databases

from . import in_schema, in_source, table
from .safeguards import ROOT, Safeguard, whole

SAFEGUARDS: Sequence[Safeguard] = (*in_source.SAFEGUARDS, *in_schema.SAFEGUARDS)
COPIED = ("src", "tests", "migrations", "docs", "pyproject.toml")
OURS = {"market", "portone_sandbox", "tests"}
# A test of its own: whatever waits for what never comes ends here.
LONGEST_TEST_S = 120
_FAILED = re.compile(r"^(?:FAILED|ERROR) tests/(\S+?::.+?)(?: - .*)?$", re.MULTILINE)


def main(only: str) -> int:
    """An exit code: 1 when a safeguard stayed green, or a test is red with all of them in place."""
    chosen = [
        safeguard for safeguard in SAFEGUARDS if only in safeguard.name or only in safeguard.where
    ]
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        tree = Path(scratch) / "tree"
        server = Databases.start_in_memory().server
        copy(tree)
        # Before the first: whoever edits the tree meanwhile disturbs nothing.
        rows = {safeguard.name: table.row(safeguard) for safeguard in chosen}
        tests = sorted({test for safeguard in chosen for test in safeguard.red})
        print(f"with all {len(chosen)} safeguards in place, {len(tests)} tests …", flush=True)
        # A second chance: on a busy machine, a crowd may not gather in time.
        broken = red(tree, server, tests)
        if broken and (broken := red(tree, server, broken)):
            print("red with every safeguard in place:", *broken, sep="\n  ")
            return 1
        green = []
        for safeguard in chosen:
            if proven(safeguard, tree, server):
                table.write(SAFEGUARDS, {safeguard.name: rows[safeguard.name]})
            else:
                green.append(safeguard.name)
    print(f"{len(chosen) - len(green)} of {len(chosen)} safeguards are missed when they are gone.")
    for name in green:
        print(f"  stays green without: {name}")
    return 1 if green else 0


def proven(safeguard: Safeguard, tree: Path, server: str) -> bool:
    """Whether every test that is to notice its absence does."""
    began = time.monotonic()
    with safeguard.taken_out(tree):
        failed = red(tree, server, safeguard.red)
    missing = [
        test for test in safeguard.red if not any(one.startswith(whole(test)) for one in failed)
    ]
    verdict = "GREEN: " + ", ".join(missing) if missing else "red"
    print(f"{time.monotonic() - began:6.1f} s  {safeguard.name}: {verdict}", flush=True)
    return not missing


def red(tree: Path, server: str, tests: Sequence[str]) -> list[str]:
    """Those of the tests that fail in this tree, on this PostgreSQL."""
    written = tree.parent / "written"
    child = os.fork()
    if child == 0:
        code = 3
        os.setsid()  # what it starts and leaves behind can be ended with it
        try:
            code = _run(tree, server, tests, written)
        except BaseException:  # told below, and this process ends here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # past whatever this process would do at its end
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGTERM)
    said = written.read_text()
    failed = _FAILED.findall(said)
    if os.waitstatus_to_exitcode(status) not in {0, 1} or (status and not failed):
        raise SystemExit(f"the tests could not be run:\n{said[-3000:]}")
    return failed


def _run(tree: Path, server: str, tests: Sequence[str], written: Path) -> int:
    """Runs them in this very process, forked from one that has loaded all libraries."""
    with written.open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    # What the market counts is registered anew when its modules are loaded from the copy.
    for collector in list(REGISTRY._collector_to_names):
        REGISTRY.unregister(collector)
    elsewhere = [path for path in sys.path if Path(path or ".").resolve() != ROOT]
    sys.path[:] = [str(tree), str(tree / "src"), *elsewhere]
    os.chdir(tree)
    os.environ |= {
        "PYTHONPATH": str(tree / "src"),
        "TEST_DATABASE_URL": server,
        "COLUMNS": "1000",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    names = [f"tests/{test}" for test in map(whole, tests)]
    options = ["-q", "--tb=no", "-p", "no:cacheprovider", f"--timeout={LONGEST_TEST_S}"]
    return int(pytest.main([*options, *names], plugins=[pytest_asyncio.plugin, pytest_timeout]))


def copy(tree: Path) -> None:
    """What the tests need, once: what Python compiles of it serves every safeguard."""
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
