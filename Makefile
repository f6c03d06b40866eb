# Every target installs what it needs; the first run takes a minute or two and says what it is doing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test check messages screenshots matrix kills mutation guards fuzz bench soak format lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s%s\n", $$1, $$2}'

demo: $(VENV)/.run ## market, worker, sandbox and a PostgreSQL of its own, with sample goods
	@exec $(BIN)/market demo

test: $(VENV)/.dev tools ## every test, on real PostgreSQL and real processes
	@$(BIN)/pytest -n $(or $(JOBS),2) --dist loadfile $(TESTS)

screenshots: $(VENV)/.dev tools ## every page of the shop, into docs/screenshots
	@$(BIN)/python -m tests.web.screenshots

check: $(VENV)/.dev ## lint, format, types, and who may import whom
	$(BIN)/ruff check src tests migrations bench
	$(BIN)/ruff format --check src tests migrations bench
	$(BIN)/mypy
	$(BIN)/lint-imports

LOCALE := src/market/web/locale/en/LC_MESSAGES/messages
messages: $(VENV)/.dev ## collect the texts that people read, compile them, and check that nothing is missing
	@$(BIN)/pybabel -q extract -F pyproject.toml -k _n:1,1 -k _p:1c,2 --no-wrap --no-location \
	  --sort-output -o $(VENV)/messages.pot src/market/web
	@$(BIN)/pybabel -q update -l en -i $(VENV)/messages.pot -o $(LOCALE).po --no-wrap \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel -q compile -i $(LOCALE).po -o $(LOCALE).mo
	@$(BIN)/pytest -q tests/pages/test_messages.py

matrix: $(VENV)/.dev ## every fault at every step of paying, and the table of it in docs/reliability.md
	@MATRIX=docs/reliability.md $(BIN)/pytest tests/faults/test_matrix.py
	@$(BIN)/pytest tests/faults/test_table.py

kills: ROUNDS ?= 100
kills: $(VENV)/.dev ## kill processes at marked points, ROUNDS=100 times, and see that nothing is lost
	@ROUNDS=$(ROUNDS) $(BIN)/pytest tests/kills

mutation: $(VENV)/.dev ## take each lock, check and constraint out in turn: a test must go red (ONLY=text)
	@$(BIN)/python -m tests.mutation $(ONLY)

guards: mutation # the name of `make mutation` until 1.0

fuzz: $(VENV)/.dev ## search long for a request that gets an answer it should not (FUZZ examples each)
	@ATTACK_EXAMPLES=$(or $(FUZZ),500) $(BIN)/pytest tests/attacks/test_generated.py --timeout 3600

bench: $(VENV)/.bench ## rates beside pgbench and the usual stack: BENCH=purchase OUT=figures.json
	@$(BIN)/python -m bench $(BENCH) $(if $(OUT),--out $(OUT))

soak: ROUNDS ?= $(if $(SEED),0,100)
soak: $(VENV)/.dev ## simulate the market, then kill: STEPS=1000000 [SEED=…] [STORMS=1] [ROUNDS=100]
	@$(BIN)/python -m tests.simulation --steps $(or $(STEPS),100000) \
	  $(if $(SEED),--seed $(SEED)) $(if $(STORMS),--storms)
	@[ $(ROUNDS) = 0 ] || ROUNDS=$(ROUNDS) $(BIN)/pytest tests/kills

format: $(VENV)/.dev ## put the code in the house's form
	$(BIN)/ruff check --fix src tests migrations bench
	$(BIN)/ruff format src tests migrations bench

lock: $(VENV)/.dev ## pin every package again, with hashes
	$(BIN)/uv pip compile pyproject.toml --extra build --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" -o requirements.lock --upgrade
	$(BIN)/uv pip compile pyproject.toml --extra build --extra dev --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra build --extra bench --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" -c requirements-dev.lock \
	  -o requirements-bench.lock

clean: ## forget the virtual environment (the data under ./var stays)
	rm -rf $(VENV)

# The tests of pages drive Debian's Chromium, those of pooling its PgBouncer, and the READMEs' shell
# lines use curl and jq; where they are missing and can't be installed, those tests are skipped,
# which is said plainly.
TOOLS := chromium curl jq pgbouncer
.PHONY: tools
tools:
	@missing=; for tool in $(TOOLS); do PATH=$$PATH:/usr/sbin command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "· installing for the tests:$$missing"; \
	  apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends $$missing fonts-nanum >/dev/null; \
	else echo "· not here, so their tests will be skipped:$$missing"; fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Wanted Market needs Python 3.11 or later; set PYTHON to one: make demo PYTHON=python3.12"; exit 1; }
	@echo "· making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "$(PYTHON) has no venv module: install your system's package for it (on Debian: python3-venv)"; exit 1; }

$(VENV)/.run: $(BIN)/python requirements.lock pyproject.toml
	@echo "· installing the packages the market runs on (first time: about a minute)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "· installing the packages the tests need"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.bench: $(VENV)/.run requirements-bench.lock
	@echo "· installing the packages the market is measured against"
	@$(PIP) install --require-hashes -r requirements-bench.lock
	@touch $@
