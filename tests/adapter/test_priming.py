"""What INIT does in advance: counted in processes of their own, which boot as a function does."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from adapter import ConfigurationError
from adapter.priming import STEPS, Budget, Plan
from tests.postgresql import PostgreSQL

from .processes import ROOT, python

NAMES = {*STEPS, "gc"}


@pytest.mark.parametrize("value", ["", "on", " ON "])
def test_all_is_primed_unless_something_else_is_said(value: str) -> None:
    assert Plan.from_environment({"FAAS_PRIME": value}).steps == NAMES


def test_all_can_be_switched_off() -> None:
    assert Plan.from_environment({"FAAS_PRIME": "off"}).steps == set()


def test_single_steps_can_be_left_out() -> None:
    assert Plan.from_environment({"FAAS_PRIME": "-templates, -gc"}).steps == NAMES - {"templates", "gc"}


@pytest.mark.parametrize("value", ["templates", "-views", "-urls,gc", "-", "no"])
def test_a_wrong_choice_of_steps_is_told_the_right_ones(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'off', or the steps to leave out, of -translations,-urls,.*,-gc\."):
        Plan.from_environment({"FAAS_PRIME": value})


def test_a_page_must_be_a_path() -> None:
    with pytest.raises(ConfigurationError, match=r"FAAS_PRIME_PATH is 'https://example\.com/'"):
        Plan.from_environment({"FAAS_PRIME_PATH": "https://example.com/"})


@pytest.mark.parametrize(
    ("environment", "on_demand"),
    [
        ({}, True),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}, True),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}, False),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}, False),
        ({"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_MAX_CONCURRENCY": "16"}, False),
    ],
)
def test_a_visitor_waits_for_init_where_it_is_on_demand(environment: dict[str, str], on_demand: bool) -> None:
    assert Plan.from_environment(environment).on_demand is on_demand


def test_a_budget_ends_when_it_is_spent() -> None:
    assert list(Budget(math.inf).each("abc")) == ["a", "b", "c"]
    assert list(Budget(0).each("abc")) == []
    budget = Budget(0.03)
    done = []
    for item in budget.each("abcdefghij"):
        time.sleep(0.02)
        done.append(item)
    assert done == ["a", "b"]
    assert list(budget.each("abc")) == []


# A database's every query, seen where Django hands it to the driver.
COUNTED = """
import json, sys, time, django.db.backends.utils
queries = []
execute = django.db.backends.utils.CursorWrapper.execute
def count(self, sql, params=None):
    queries.append(sql)
    return execute(self, sql, params)
django.db.backends.utils.CursorWrapper.execute = count

from adapter import priming
priming.SHARE = 100  # so that what is done does not depend on how fast the machine is just now
from adapter.entrypoint import handler

def get(path):
    headers = {"host": "localhost", "accept-language": "en-GB", "x-forwarded-proto": "https"}
    return handler({"httpMethod": "GET", "path": path, "headers": headers, "requestContext": {}})

def report(**seen):
    handler.close()
    print(json.dumps(seen))
"""


def booted(project: Path, code: str, **environment: str) -> Any:
    """What ``code`` reports in a process that has booted the project."""
    run = python(f"{COUNTED}\n{code}", project, **{"DJANGO_SETTINGS_MODULE": "shop.settings", **environment})
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.fixture(scope="session")
def bookshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample, ready to be served."""
    folder = tmp_path_factory.mktemp("primed") / "bookshop"
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(ROOT / "samples/bookshop", folder, ignore=left_out)
    for command in (["prepare"], ["collectstatic", "--noinput"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


SHOP = {"DJANGO_SETTINGS_MODULE": "bookshop.settings"}


FIRST = """
import cProfile, pstats
def calls(path):
    profile = cProfile.Profile()
    profile.enable()
    status = get(path)["statusCode"]
    profile.disable()
    assert status == 200, status
    return pstats.Stats(profile).total_calls
in_init = len(queries)
before = set(sys.modules)
first = calls({path})
imported = sorted(set(sys.modules) - before)
calls({path})
report(ratio=first / calls({path}), imported=imported, in_init=in_init, queries=len(queries))
"""


@pytest.mark.parametrize(
    ("path", "interface"), [("/", "wsgi"), ("/books/", "wsgi"), ("/books/faust/", "wsgi"), ("/books/faust/", "asgi")]
)
def test_the_first_request_has_little_left_to_do(bookshop: Path, path: str, interface: str) -> None:
    """Counted in calls of functions, which are as many on any machine; `benchmarks/cold_start.py` has the times."""
    seen = booted(bookshop, FIRST.replace("{path}", repr(path)), FAAS_INTERFACE=interface, **SHOP)
    assert seen["imported"] == []
    assert seen["ratio"] < 1.3
    assert seen["in_init"] == 0
    assert seen["queries"] > 0


def test_nothing_is_left_to_import_even_without_a_rehearsal(bookshop: Path) -> None:
    seen = booted(bookshop, FIRST.replace("{path}", "'/'"), FAAS_PRIME="-request,-models,-links", **SHOP)
    assert seen["imported"] == []


def test_without_priming_the_first_request_does_it_all(bookshop: Path) -> None:
    seen = booted(bookshop, FIRST.replace("{path}", "'/books/faust/'"), FAAS_PRIME="off", **SHOP)
    assert len(seen["imported"]) > 50
    assert seen["ratio"] > 5


def only_primed(project: Path, requests: str, **environment: str) -> set[str]:
    """The modules that priming imports, and ``requests`` without priming do not."""
    code = "report(modules=list(sys.modules))"
    needed = booted(project, f"{requests}; {code}", FAAS_PRIME="off", **environment)["modules"]
    return set(booted(project, code, **environment)["modules"]) - set(needed)


def test_priming_imports_nothing_that_requests_would_not(bookshop: Path) -> None:
    requests = "get('/'); get('/books/faust/'); get('/de/'); get('/fr/'); get('/nowhere')"
    assert only_primed(bookshop, requests, **SHOP) == set()


def test_backends_that_only_some_requests_use_are_loaded(project: Path) -> None:
    (project / "shop/backends.py").write_text(
        "from django.contrib.auth.backends import ModelBackend as Users\n"
        "from django.contrib.sessions.serializers import JSONSerializer as Sessions\n"
        "from django.core.cache.backends.locmem import LocMemCache as Cache\n"
    )
    for setting in (
        "AUTHENTICATION_BACKENDS = ['shop.backends.Users']",
        "SESSION_SERIALIZER = 'shop.backends.Sessions'",
        "CACHES = {'default': {'BACKEND': 'shop.backends.Cache'}}",
    ):
        change(project, "settings.py", "USE_TZ = True", f"USE_TZ = True\n{setting}")
        code = "report(loaded='shop.backends' in sys.modules)"
        assert booted(project, code, FAAS_PRIME="-request") == {"loaded": True}
        assert booted(project, code, FAAS_PRIME="-request,-backends") == {"loaded": False}
        change(project, "settings.py", setting, "")


def test_what_the_orm_finds_out_about_a_model_it_knows(bookshop: Path) -> None:
    code = (
        "from django.apps import apps\n"
        "known = [{'fields_map', 'related_objects'} <= vars(model._meta).keys() for model in apps.get_models()]\n"
        "report(models=len(known), known=sum(known))"
    )
    seen = booted(bookshop, code, **SHOP)
    assert seen["models"] == seen["known"] > 10
    assert booted(bookshop, code, FAAS_PRIME="-models", **SHOP)["known"] < 10


def test_each_language_of_the_project_is_ready(bookshop: Path) -> None:
    seen = booted(
        bookshop,
        "from django.urls import get_resolver\n"
        "from django.utils.translation import trans_real\n"
        "report(urls=list(get_resolver()._reverse_dict), catalogues=list(trans_real._translations))",
        **SHOP,
    )
    assert set(seen["urls"]) == set(seen["catalogues"]) == {"en", "de", "fr"}


def test_the_projects_own_urls_are_made_once(bookshop: Path) -> None:
    seen = booted(
        bookshop,
        "from django.urls import get_resolver, resolvers\n"
        "from adapter.priming import _reversible\n"
        "names = {name for name, _ in _reversible(get_resolver())}\n"
        "report(names=sorted(names), resolvers=resolvers.get_ns_resolver.cache_info().currsize)",
        **SHOP,
    )
    assert {"home", "catalogue:detail", "api:books", "reviews:write"} <= set(seen["names"])
    assert not [name for name in seen["names"] if name.startswith("admin:")]
    namespaces = {name.rpartition(":")[0] for name in seen["names"]} - {""}
    # All but the API have translated paths.
    assert seen["resolvers"] == 3 * len(namespaces) - 2


COMPILED = """
from django.template import engines
(loader,) = engines["django"].engine.template_loaders
report(compiled=sorted(name for name, found in loader.get_template_cache.items() if hasattr(found, "render")))
"""


def test_the_projects_own_templates_are_compiled(bookshop: Path) -> None:
    folder = bookshop / "templates"
    own = {path.relative_to(folder).as_posix() for path in folder.rglob("*.html")}
    assert len(own) > 20
    assert set(booted(bookshop, COMPILED, **SHOP)["compiled"]) == own
    # Without them, those that the page for status 404 is made of.
    assert booted(bookshop, COMPILED, FAAS_PRIME="-templates", **SHOP)["compiled"] == ["404.html", "base.html"]


@pytest.mark.parametrize(("kind", "limited"), [("on-demand", True), ("provisioned-concurrency", False)])
def test_only_where_a_visitor_waits_there_is_a_budget(bookshop: Path, kind: str, limited: bool) -> None:
    spent = COUNTED.replace("priming.SHARE = 100", "priming.SHARE = 0")
    assert spent != COUNTED
    run = python(spent + COMPILED, bookshop, AWS_LAMBDA_INITIALIZATION_TYPE=kind, **SHOP)
    assert (len(json.loads(run.stdout)["compiled"]) == len(["404.html", "base.html"])) is limited


def test_the_heap_is_out_of_the_collectors_sight(bookshop: Path) -> None:
    code = "import gc; report(frozen=gc.get_freeze_count(), thresholds=gc.get_threshold())"
    primed, unprimed = (booted(bookshop, code, FAAS_PRIME=steps, **SHOP) for steps in ("", "-gc"))
    assert primed["frozen"] > 50_000
    assert unprimed["frozen"] == 0
    assert primed["thresholds"] == unprimed["thresholds"]


SETTINGS = """
SECRET_KEY = "only-for-tests"
DEBUG = False
ALLOWED_HOSTS = [".example.com", "localhost"]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
USE_TZ = True
LOGGING = {"version": 1, "disable_existing_loggers": False, "loggers": {"adapter.priming": {"level": "DEBUG"}}}
"""
URLS = """
from django.contrib.auth.models import Group
from django.core.signals import request_finished, request_started
from django.db import transaction
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.utils import timezone, translation

seen = []
request_started.connect(lambda **kwargs: seen.append("started"), weak=False)
request_finished.connect(lambda **kwargs: seen.append("finished"), weak=False)

def page(request):
    Group.objects.create(name=f"group {Group.objects.count()}")
    transaction.on_commit(lambda: seen.append("committed"))
    request.session["visits"] = 1
    get_token(request)
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    seen.append(f"{request.build_absolute_uri()} by {request.headers['User-Agent']}")
    return HttpResponse("a page")

urlpatterns = [path("page/", page)]
"""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose one page leaves every trace that a page can."""
    folder = tmp_path_factory.mktemp("migrated")
    (folder / "shop").mkdir()
    (folder / "shop/__init__.py").touch()
    (folder / "shop/settings.py").write_text(SETTINGS)
    (folder / "shop/urls.py").write_text(URLS)
    migrate = [sys.executable, "-m", "django", "migrate", "--settings=shop.settings", "--pythonpath=."]
    subprocess.run(migrate, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


@pytest.fixture
def project(migrated: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return shutil.copytree(migrated, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))


def change(project: Path, file: str, old: str, new: str) -> None:
    path = project / "shop" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


LEFT = """
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import connection
from django.urls import get_urlconf
from django.utils import timezone, translation
from shop.urls import seen
report(
    seen=seen,
    language=translation.get_language(),
    zone=timezone.get_current_timezone_name(),
    urlconf=get_urlconf(),
    open=connection.connection is not None,
    rows=Group.objects.count() + Session.objects.count(),
)
"""


@pytest.mark.parametrize("engine", ["db", "cache"])
@pytest.mark.parametrize("served", ["wsgi", "wrapped", "asgi"])
def test_the_page_of_ones_choice_leaves_no_trace(project: Path, engine: str, served: str) -> None:
    (project / "shop/wsgi.py").write_text(
        "from django.core.wsgi import get_wsgi_application\ndjango = get_wsgi_application()\n"
        f"application = {'lambda *arguments: django(*arguments)' if served == 'wrapped' else 'django'}\n"
    )
    with (project / "shop/settings.py").open("a") as settings:
        settings.write(
            f"\nSESSION_ENGINE = 'django.contrib.sessions.backends.{engine}'\nCSRF_USE_SESSIONS = True\n"
            "WSGI_APPLICATION = 'shop.wsgi.application'\n"
        )
    interface = "asgi" if served == "asgi" else "wsgi"
    code = f"from django.core.cache import cache\nassert not getattr(cache, '_cache', None)\n{LEFT}"
    seen = booted(project, code, FAAS_PRIME_PATH="/p%61ge/?a=1", FAAS_INTERFACE=interface)
    del seen["open"]
    assert seen == {
        "seen": ["https://example.com/page/?a=1 by django-faas priming"],
        "language": "en-us",
        "zone": "America/Chicago",
        "urlconf": None,
        "rows": 0,
    }


@pytest.mark.parametrize(
    ("kind", "kept"), [("on-demand", True), ("snap-start", False), ("provisioned-concurrency", False)]
)
def test_no_connection_is_kept_for_a_request_that_may_be_hours_away(project: Path, kind: str, kept: bool) -> None:
    seen = booted(project, LEFT, FAAS_PRIME_PATH="/page/", AWS_LAMBDA_INITIALIZATION_TYPE=kind)
    assert len(seen["seen"]) == 1
    assert seen["open"] is kept


def test_the_connection_is_opened_and_asked_nothing(project: Path, postgresql: PostgreSQL) -> None:
    with (project / "shop/settings.py").open("a") as settings:
        database = f"dj_database_url.parse({postgresql.url!r}, conn_max_age=600)"
        settings.write(f"\nimport dj_database_url\nDATABASES = {{'default': {database}}}\n")
    code = "from django.db import connection\nreport(open=connection.connection is not None, queries=queries)"
    assert booted(project, code) == {"open": True, "queries": []}
    assert booted(project, code, FAAS_PRIME="-database") == {"open": False, "queries": []}


def log_of(project: Path, code: str = "", **environment: str) -> str:
    environment = {"DJANGO_SETTINGS_MODULE": "shop.settings", **environment}
    run = python(f"{COUNTED}\n{code}\nhandler.close()", project, **environment)
    assert run.returncode == 0, run.stderr
    return run.stderr


def test_each_step_says_how_long_it_took(project: Path) -> None:
    lines = [line for line in log_of(project).splitlines() if "adapter.priming" in line]
    assert len(lines) == len(NAMES)
    for name, line in zip([*STEPS, "gc"], lines, strict=True):
        assert f"{name}: " in line
        assert line.endswith(" ms")
    assert "adapter.priming" not in log_of(project, FAAS_PRIME="off")


@pytest.mark.parametrize(("path", "status"), [("/elsewhere/", 404), ("/moved/", 302)])
def test_a_page_that_does_not_answer_200_is_no_use(project: Path, path: str, status: int) -> None:
    change(
        project,
        "urls.py",
        "urlpatterns = [",
        "from django.shortcuts import redirect\nurlpatterns = [path('moved/', lambda request: redirect('/page/')), ",
    )
    assert f"FAAS_PRIME_PATH is '{path}', which answers {status}" in log_of(project, FAAS_PRIME_PATH=path)


def test_a_page_that_fails_is_logged_as_django_does(project: Path) -> None:
    change(project, "urls.py", "get_token(request)", "raise LookupError('on purpose')")
    log = log_of(project, FAAS_PRIME_PATH="/page/")
    assert "which answers 500" in log
    assert log.count("LookupError: on purpose") == 1


def test_the_page_for_404_is_made_without_signals_queries_or_foreign_middleware(project: Path) -> None:
    (project / "shop/foreign.py").write_text("def middleware(get_response):\n    return lambda request: 1 / 0\n")
    change(project, "settings.py", "MIDDLEWARE = [", "MIDDLEWARE = [\n    'shop.foreign.middleware',")
    change(
        project,
        "urls.py",
        "urlpatterns = [",
        "handler404 = 'shop.urls.not_found'\n"
        "def not_found(request, exception):\n"
        "    seen.append(f'404 for {request.user} {list(request.session.items())}')\n"
        "    Group.objects.count()\n"
        "urlpatterns = [path('<path:anything>', page), ",
    )
    code = "from shop.urls import seen\nfrom django.db import connection\nreport(seen=seen, queries=queries)"
    assert booted(project, code) == {"seen": ["404 for AnonymousUser []"], "queries": []}
    log = log_of(project)
    assert "can't be made in INIT: _QueryRefusedError" in log
    assert "WARNING" not in log


CACHES = "CACHES = {'default': {'BACKEND': 'redys.Cache'}}"
BREAKS = [
    pytest.param("urls", "urls.py", "seen = []", "seen = [", "SyntaxError", id="syntax"),
    pytest.param("urls", "urls.py", "seen = []", "seen = shelf", "NameError: name 'shelf' is not defined", id="name"),
    pytest.param("urls", "settings.py", '"shop.urls"', '"shop.earls"', "No module named 'shop.earls'", id="urlconf"),
    pytest.param("templates", "settings.py", '"APP_DIRS": True', '"APP_DIR": True', "APP_DIR", id="templates"),
    pytest.param(
        "backends",
        "settings.py",
        "USE_TZ = True",
        "CACHES = {'default': {'BACKEND': 'shop.Cache'}}",
        "Cache",
        id="caches",
    ),
]


@pytest.mark.parametrize(("step", "file", "old", "new", "problem"), BREAKS)
def test_a_failure_is_logged_with_its_remedy_and_the_boot_goes_on(
    project: Path, step: str, file: str, old: str, new: str, problem: str
) -> None:
    change(project, file, old, new)
    asked = "print(get('/page/'), file=sys.stderr)" if step == "urls" else ""
    log = log_of(project, asked, FAAS_PRIME_PATH="/page/")
    warnings = [line for line in log.splitlines() if "adapter.priming" in line and "DEBUG" not in line]
    assert len(warnings) == 1, log
    assert f"Priming failed in its step '{step}'; INIT goes on. " in warnings[0]
    assert warnings[0].endswith(f" FAAS_PRIME=-{step} leaves the step out.")
    assert problem in log
    if step == "urls":
        assert "'statusCode': 500" in log


def test_a_traceback_begins_in_the_project(project: Path) -> None:
    change(project, "urls.py", "seen = []", "seen = shelf")
    log = log_of(project)
    traceback = log[log.index("Traceback") :].splitlines()
    assert traceback[1].startswith(f'  File "{project}/shop/urls.py"')
    assert traceback[-1].startswith("NameError") or "NameError" in "".join(traceback[:5])


def test_a_step_that_never_ends_is_given_up_before_lambda_gives_up_init(project: Path) -> None:
    change(project, "urls.py", "seen = []", "import time; time.sleep(50)")
    started = time.monotonic()
    run = python(
        "from adapter import priming; priming.INIT_LIMIT = 1.0; import adapter.entrypoint",
        project,
        DJANGO_SETTINGS_MODULE="shop.settings",
    )
    assert run.returncode == 0, run.stderr
    assert time.monotonic() - started < 30
    assert "Priming was given up after 1." in run.stderr
    assert "in its step 'urls'" in run.stderr
    assert "time.sleep(50)" in run.stderr


def test_an_installed_librarys_templates_are_left_uncompiled_where_they_lie_beside_the_projects(project: Path) -> None:
    """As in a function's package: all in one folder."""
    for app in ("own", "library"):
        (project / app / "templates" / app).mkdir(parents=True)
        (project / app / "__init__.py").touch()
        (project / app / "templates" / app / "page.html").write_text("{{ it }}")
        (project / app / "templates" / app / "broken.html").write_text("{% for angular %}")
    (project / "library-1.0.dist-info").mkdir()
    (project / "library-1.0.dist-info/RECORD").write_text("library-1.0.dist-info/RECORD,,\nlibrary/__init__.py,,\n")
    change(project, "settings.py", "INSTALLED_APPS = [", 'INSTALLED_APPS = ["own", "library", ')
    assert booted(project, COMPILED)["compiled"] == ["own/page.html"]
    log = log_of(project)
    assert "own/broken.html can't be compiled" in log
    assert "WARNING" not in log


def test_a_project_of_one_view_loads_no_more_than_that_takes(project: Path) -> None:
    (project / "shop/urls.py").write_text(
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        "urlpatterns = [path('page/', lambda request: HttpResponse('a page'))]\n"
    )
    (project / "shop/settings.py").write_text("ROOT_URLCONF = 'shop.urls'\nALLOWED_HOSTS = ['*']\nSECRET_KEY = 'x'\n")
    assert only_primed(project, "get('/page/'); get('/nowhere')") == {
        "django.conf.locale.en",
        "django.conf.locale.en.formats",
        "django.utils.translation.reloader",
    }
