# `make run` and `make test` need Python 3.11 or newer and make; the first call sets up .venv, later ones reuse it.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
DJANGO ?= Django>=5.2,<6
PORT ?= 8000
DOOR ?= http_api
INTERFACE ?= wsgi
BIN := $(VENV)/bin
# With its bytecode, which the many processes of the tests would else make anew, each for itself.
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
# Save the hooks in malloc, which look for what only extensions in C can do wrong and take a quarter of the time.
PYTEST := PYTHONDEVMODE=1 PYTHONMALLOC=default $(BIN)/python -m pytest
SAMPLE := samples/bookshop

.PHONY: run test django-suite check format bench clean

run: $(VENV)/.run
	@echo "==> bookshop: migrating and seeding (does nothing the second time)"
	@cd $(SAMPLE) && $(abspath $(BIN))/python manage.py prepare
	@cd $(SAMPLE) && exec $(abspath $(BIN))/django-faas emulate --port $(PORT)

# Two halves at a time, as many tests wait for processes of their own; what starts whole sites is one of them. What has
# failed is printed last, where a log that is cut short still has it.
SITES := tests/emulator/function $(wildcard tests/emulator/test_*.py) tests/end_to_end tests/infra/deploy tests/samples

test: $(VENV)/.dev
ifdef ARGS
	@$(PYTEST) $(ARGS)
else
	@$(PYTEST) -p no:cacheprovider $(SITES) >$(VENV)/sites.log 2>&1 & sites=$$!; \
	{ $(PYTEST) tests $(SITES:%=--ignore=%) 2>&1; echo $$? >$(VENV)/rest.status; } | tee $(VENV)/rest.log; \
	wait $$sites; status=$$?; cat $(VENV)/sites.log; rest=$$(cat $(VENV)/rest.status); \
	test $$rest = 0 || sed -n '/= \(FAILURES\|ERRORS\) =/,$$p' $(VENV)/rest.log; \
	exit $$((status ? status : rest))
endif

# Django's own tests, every request of their client travelling as an event: make django-suite DOOR=alb INTERFACE=asgi
django-suite: $(VENV)/.dev
	@$(BIN)/python -m tests.django_suite --front-door $(DOOR) --interface $(INTERFACE) $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	@for script in $(filter-out benchmarks/s3_stub.py,$(wildcard benchmarks/*.py)); do echo "==> $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache $(SAMPLE)/.faas $(SAMPLE)/staticfiles $(SAMPLE)/media $(SAMPLE)/*.sqlite3

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer was found; install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "==> creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: pyproject.toml $(SAMPLE)/requirements.txt | $(BIN)/uv
	@echo "==> installing django-faas with its emulator, and what the bookshop needs"
	@$(INSTALL) "$(DJANGO)" -e '.[infra]' -r $(SAMPLE)/requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run pyproject.toml
	@echo "==> installing the test tools"
	@$(INSTALL) "$(DJANGO)" -e '.[dev]' -r $(SAMPLE)/requirements.txt
	@touch $@
