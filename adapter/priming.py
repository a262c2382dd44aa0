"""What the first request would have to do for all that follow it, done in INIT.

`prime` takes the steps of `STEPS` in their order. Most of what they do any first request needs; what only some need
(further languages, templates, models) is done while a budget of time lasts. No step queries a database, save for the
page that FAAS_PRIME_PATH names. No failure ends the boot.
"""

from __future__ import annotations

import functools
import gc
import importlib
import logging
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import database, rehearsal
from .exceptions import ConfigurationError
from .limits import DeadlineExceeded, alarm

if TYPE_CHECKING:
    from types import TracebackType

    from django.template.backends.base import BaseEngine
    from django.urls import URLResolver

logger = logging.getLogger("adapter.priming")

T = TypeVar("T")

INIT_LIMIT = 9.0
"""Seconds into INIT at which priming is given up: Lambda allows ten, and then has it all done again in the request."""

SHARE = 0.25
"""The budget as a share of the time the boot took: about what `garbage_deferred` saves."""

_OBJECTS = 100_000
_TEMPLATES = (".html", ".j2", ".jinja", ".jinja2")


@dataclass(slots=True, eq=False, repr=False)
class Plan:
    """What to prime: ``steps`` of `STEPS`, and the page at ``path`` where there is one named.

    ``on_demand``: a visitor waits for the end of INIT, and is served by this very process at once. Otherwise INIT ends
    in a snapshot, a fork, or a wait.
    """

    steps: frozenset[str]
    path: str = ""
    on_demand: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Plan:
        """What ``FAAS_PRIME`` and ``FAAS_PRIME_PATH`` ask for; `ConfigurationError` names a value that is no good."""
        path = environment.get("FAAS_PRIME_PATH", "")
        if path and not path.startswith("/"):
            raise ConfigurationError(
                f"FAAS_PRIME_PATH is {path!r}; it must be the path of a page of the project, as /about/ is."
            )
        on_demand = (
            environment.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
            and "AWS_LAMBDA_MAX_CONCURRENCY" not in environment
        )
        return cls(_steps(environment.get("FAAS_PRIME", "")), path, on_demand)


def _steps(text: str) -> frozenset[str]:
    switch = text.strip().lower()
    if switch in {"", "on"}:
        return _NAMES
    if switch == "off":
        return frozenset()
    names = {name.strip() for name in switch.split(",")}
    left_out = {name.removeprefix("-") for name in names if name.startswith("-")}
    if left_out <= _NAMES and len(left_out) == len(names):
        return _NAMES - left_out
    each = ",".join(f"-{name}" for name in (*STEPS, "gc"))
    raise ConfigurationError(f"FAAS_PRIME is {text!r}; it can be 'off', or the steps to leave out, of {each}.")


class Budget:
    """Seconds for what not every first request needs."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The ``items`` for as long as there is time; what is done with them counts."""
        for item in items:
            if self._left <= 0:
                return
            started = time.perf_counter()
            yield item
            self._left -= time.perf_counter() - started


@dataclass(slots=True, eq=False, repr=False)
class _Init:
    """``languages``: those for which the URLs are ready."""

    application: object
    plan: Plan
    budget: Budget
    languages: list[str] = field(default_factory=list)


@contextmanager
def garbage_deferred(plan: Plan) -> Iterator[None]:
    """Keep the garbage collector out of INIT, and what is in memory after INIT out of the collector's sight for good.

    Imports make tens of thousands of objects that stay, and in looking through them again and again the collector
    spends a fifth of the boot. Code that makes garbage by the hundred thousand is collected all the same. What garbage
    there is at the end stays where a visitor waits: it is little, and to look for it takes longer than a request.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    if "gc" not in plan.steps:
        yield
        return
    before = gc.get_threshold()
    gc.set_threshold(max(_OBJECTS, before[0]), *before[1:])
    raised = gc.get_threshold()
    try:
        yield
        with _timed("gc"):
            if not plan.on_demand:
                gc.collect()
            gc.freeze()
    finally:
        if gc.get_threshold() == raised:  # the project may have set its own
            gc.set_threshold(*before)


def prime(application: object, plan: Plan, boot_seconds: float) -> None:
    """Carry ``plan`` out for ``application``, which it took ``boot_seconds`` to load.

    The time of each step is a line of the log at level DEBUG, a failure one at level WARNING.
    """
    from django.apps import apps

    if not apps.ready:  # the application is somebody else's than Django's
        return
    init = _Init(application, plan, Budget(SHARE * boot_seconds if plan.on_demand else math.inf))
    failed = set()
    name = ""
    started = time.perf_counter()
    try:
        alarm.set(max(INIT_LIMIT - boot_seconds, 1.0))
        for name, (step, remedy) in STEPS.items():
            if name not in plan.steps or (name == "request" and "urls" in failed):
                continue
            try:
                with _timed(name):
                    step(init)
            except Exception as error:
                failed.add(name)
                logger.warning(
                    "Priming failed in its step %r; INIT goes on. %s FAAS_PRIME=-%s leaves the step out.",
                    name, remedy, name, exc_info=(type(error), error, _from_the_project(error.__traceback__)),
                )  # fmt: skip
    except DeadlineExceeded as error:
        logger.warning(
            "Priming was given up after %.1f s, in its step %r; INIT goes on. Look for what waits there. "
            "FAAS_PRIME=-%s leaves the step out.", time.perf_counter() - started, name, name,
            exc_info=(type(error), error, _from_the_project(error.__traceback__)),
        )  # fmt: skip
    finally:
        alarm.deadline = None
        _records.cache_clear()  # megabytes that nobody needs again


@contextmanager
def _timed(name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    logger.debug("%s: %.1f ms", name, (time.perf_counter() - started) * 1000)


def _from_the_project(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the project's own code on, None where it does not get there."""
    import django

    machinery = ("<frozen ", importlib.__path__[0], str(Path(__file__).parent), django.__path__[0])
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(machinery):
        traceback = traceback.tb_next
    return traceback


def _translations(init: _Init) -> None:
    from django.utils import formats, translation

    for code in _languages(init):
        with translation.override(code):
            for name in formats.FORMAT_SETTINGS:
                formats.get_format(name)


def _urls(init: _Init) -> None:
    from django.urls import get_resolver
    from django.utils import translation

    for code in _languages(init):
        with translation.override(code):
            # Fills the resolver and all below it, for which it imports the URLconfs and with them the views.
            get_resolver().reverse_dict  # noqa: B018
        init.languages.append(code)


def _languages(init: _Init) -> Iterator[str]:
    """The language of most first requests, then while there is time the others that one can choose."""
    from django.conf import settings
    from django.utils import translation

    code = settings.LANGUAGE_CODE
    others: list[str] = []
    if "django.middleware.locale" in sys.modules:
        with suppress(LookupError):
            code = translation.get_supported_language_variant(code)
        # Without a list of its own, a project has Django's hundred languages, and uses hardly any.
        if settings.is_overridden("LANGUAGES"):
            others = [other for other, _ in settings.LANGUAGES if other != code]
    yield code
    yield from init.budget.each(others)


def _templates(init: _Init) -> None:
    from django.template import engines

    backends = [backend for backend in engines.all() if _is_ready(backend)]
    names = ((backend, name) for backend in backends for name in _project_templates(backend))
    for backend, name in init.budget.each(names):
        try:
            backend.get_template(name)
        except Exception as error:
            # A file may be there that no view uses, such as one for a template language of the browser.
            logger.debug("The template %s can't be compiled: %s", name, error)


def _is_ready(backend: Any) -> bool:
    """Load what the engine loads late; whether it keeps the templates that it has compiled."""
    from django.template.backends.django import DjangoTemplates
    from django.template.loaders.cached import Loader

    if isinstance(backend, DjangoTemplates):
        backend.engine.template_context_processors  # noqa: B018
        return any(isinstance(loader, Loader) for loader in backend.engine.template_loaders)
    return getattr(getattr(backend, "env", None), "cache", None) is not None  # Jinja2's


def _project_templates(backend: BaseEngine) -> Iterator[str]:
    """Names of the project's own templates, those at the top of a folder before those below it.

    To compile one takes as long as to render a small page. Libraries have too many, most of them for few people:
    Wagtail's are for editors.
    """
    seen = set()
    for folder in _project_folders(backend):
        for path, folders, files in os.walk(folder):
            folders.sort()
            for file in sorted(files):
                name = Path(path, file).relative_to(folder).as_posix()
                if name.endswith(_TEMPLATES) and name not in seen:
                    seen.add(name)
                    yield name


def _project_folders(backend: BaseEngine) -> Iterator[Path]:
    from django.apps import apps

    yield from map(Path, backend.dirs)
    folders = set(map(Path, backend.template_dirs))
    for app in apps.get_app_configs():
        folder = Path(app.path, backend.app_dirname or "templates")
        if folder in folders and not _is_installed(app.name):
            yield folder


def _is_installed(name: str) -> bool:
    """Whether the module or object called ``name`` came with a distribution.

    On Lambda, distributions may lie in one folder with the project's own packages.
    """
    package = name.partition(".")[0]
    module = sys.modules.get(package)
    path = next(iter(getattr(module, "__path__", ())), None) or getattr(module, "__file__", None)
    if path is None:
        return False
    folder = Path(path).parent
    return folder.name in {"site-packages", "dist-packages"} or _is_distributed(package, folder)


@functools.cache
def _is_distributed(package: str, folder: Path) -> bool:
    return any(f"\n{package}/".encode() in record for record in _records(folder))


@functools.cache
def _records(folder: Path) -> tuple[bytes, ...]:
    """What the distributions in ``folder`` have put there, a line for each file.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    return tuple(b"\n" + record.read_bytes() for record in folder.glob("*.dist-info/RECORD"))


def _links(init: _Init) -> None:
    from django.urls import get_resolver, reverse
    from django.utils import translation

    with rehearsal.no_queries():
        for code in init.languages:
            with translation.override(code):
                for name, arguments in init.budget.each(_reversible(get_resolver())):
                    # What reverse() makes once for a namespace and for a URL, it makes even for arguments it refuses.
                    with suppress(Exception):
                        reverse(name, kwargs=arguments)


def _reversible(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, dict[str, str]]]:
    """Each URL that has a name, with arguments; of the namespaces, the project's own."""
    for name in resolver.reverse_dict:
        if isinstance(name, str):
            for possibilities, *_ in resolver.reverse_dict.getlist(name):
                for _, parameters in possibilities:
                    yield namespace + name, dict.fromkeys(parameters, "1")
    for name, (_, below) in resolver.namespace_dict.items():
        # As with templates: the admin has more than many a project, for its staff alone.
        if any(not _is_installed(view) for view in below._callback_strs):  # type: ignore[attr-defined]
            yield from _reversible(below, f"{namespace}{name}:")


def _static(init: _Init) -> None:  # noqa: ARG001
    from django.apps import apps

    if apps.is_installed("django.contrib.staticfiles"):
        from django.contrib.staticfiles.storage import staticfiles_storage

        # To ask for any attribute makes the storage, which reads its manifest.
        getattr(staticfiles_storage, "hashed_files", None)


def _backends(init: _Init) -> None:  # noqa: ARG001
    from django.conf import settings
    from django.utils.module_loading import import_string

    # A backend is in use where its middleware, or a subclass of that, has been loaded.
    if "django.contrib.sessions.middleware" in sys.modules:
        importlib.import_module(settings.SESSION_ENGINE)
        import_string(settings.SESSION_SERIALIZER)
    if "django.contrib.auth.middleware" in sys.modules:
        from django.contrib.auth import get_backends

        get_backends()
    if "django.contrib.messages.middleware" in sys.modules:
        import_string(settings.MESSAGE_STORAGE)
    if settings.is_overridden("CACHES"):
        from django.core.cache import caches

        for alias in settings.CACHES:
            caches[alias]


def _database(init: _Init) -> None:
    connections = rehearsal.connections()
    for connection in connections:
        connection.ops.compiler("SQLCompiler")
    if connections and init.plan.on_demand:
        database.connect()


def _models(init: _Init) -> None:
    from django.apps import apps

    if not rehearsal.connections():
        return
    with rehearsal.no_queries():
        for model in init.budget.each(apps.get_models()):
            # What the ORM finds out about a model when it is first used, it remembers.
            model._meta.fields_map  # noqa: B018
            model._meta.related_objects  # noqa: B018
            everything = model._base_manager.all()
            try:
                everything.query.get_compiler(everything.db).as_sql()
            except Exception as error:
                # A field or a database may have to ask the server what it can do.
                logger.debug("No SQL is made for %s in INIT: %s", model._meta.label, error)


def _request(init: _Init) -> None:
    from django.conf import settings

    path = init.plan.path
    if path:
        status = rehearsal.of_page(path, init.application)
        if not init.plan.on_demand:
            database.close_all()
        if status != 200:
            logger.warning(
                "FAAS_PRIME_PATH is %r, which answers %d and so does little of a page's work. Name a page that answers "
                "200 to anybody.", path, status,
            )  # fmt: skip
    elif not settings.DEBUG:  # which has a page of its own for 404, as costly as it is seldom seen
        try:
            rehearsal.of_not_found()
        except Exception as error:
            logger.debug("The page for status 404 can't be made in INIT: %r. FAAS_PRIME_PATH can name another.", error)


STEPS = {
    "translations": (_translations, "Look at LANGUAGE_CODE, LANGUAGES and LOCALE_PATHS."),
    "urls": (_urls, "Requests will fail in the same way until ROOT_URLCONF, or what it imports, is mended."),
    "static": (_static, "Look at STORAGES, and whether collectstatic's manifest is in the function's package."),
    "backends": (_backends, "Look at CACHES, AUTHENTICATION_BACKENDS, SESSION_ENGINE and MESSAGE_STORAGE."),
    "database": (_database, "Look at DATABASES, and whether the driver is in the function's package."),
    "models": (_models, "Requests don't depend on it."),
    "templates": (_templates, "Look at TEMPLATES and at the apps' template tags."),
    "links": (_links, "Requests don't depend on it."),
    "request": (_request, "Look at FAAS_PRIME_PATH, and whether the page opens elsewhere."),
}
"""Each step by its name: what it does, and the remedy to name when it fails."""

_NAMES = frozenset({*STEPS, "gc"})
