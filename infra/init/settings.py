"""The settings that apply on the function alone: one section for each thing that is different there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from . import snippets
from .survey import Survey

STORAGE = "storage_faas"
"""The module of the storage for uploads, beside the settings."""

_PRIVATE_CACHES = ("locmem.LocMemCache", "filebased.FileBasedCache", "dummy.DummyCache")
_IDLE_TASKS = ("django.tasks.backends.", "django_tasks.backends.immediate.", "django_tasks.backends.dummy.")


@dataclass(frozen=True)
class Section:
    """Something that is different on the function: what it is about, why in one line, and the lines that make it so.

    ``before`` comes before the project's own settings, ``code`` after them.
    """

    title: str
    why: str
    code: str = ""
    before: str = ""


def sections(survey: Survey) -> list[Section]:
    """Those that the project needs."""
    return [section for make in _SECTIONS for section in make(survey)]


def text(survey: Survey) -> str:
    """The module."""
    found = sections(survey)
    before = "".join(f"{_told(section, section.before)}\n" for section in found if section.before)
    after = "".join(f"\n{_told(section, section.code)}" for section in found if section.code)
    imports = ["import sys"] if "sys." in before else []
    imports.append("from pathlib import Path")
    if "urlsplit" in after:
        imports.append("from urllib.parse import parse_qsl, unquote, urlsplit")
    head = snippets.HEAD.format(
        base=survey.base.module,
        imports="".join(f"{line}\n" for line in imports),
        defaults=", ".join(name for name in _defaults() if name in after),
        depth=len(survey.place.path.relative_to(survey.folder).parts) - 1,
    )
    return f"{head}{before}from {survey.place.imports} import *\n{after}"


def needs_media_bucket(survey: Survey) -> bool:
    """Whether uploads go to a folder, which on a function nobody can write to."""
    return survey.project.media_root is not None and survey.project.choices.media_in_files


def _paths(survey: Survey) -> Iterator[Section]:
    inside = [path for path in map(Path, survey.project.paths) if path.is_relative_to(survey.folder)]
    names = [path.relative_to(survey.folder).as_posix() for path in inside]
    if names:
        lines = "".join(snippets.ADD_PATH.format(name=name) for name in names)
        yield Section("paths", f"{', '.join(names)} can be imported from, as by manage.py", before=lines)


def _variables(survey: Survey) -> Iterator[Section]:
    if survey.given:
        why = f"what {survey.base.module} asks for as {', '.join(survey.given)}, the stack gives under other names"
        lines = [snippets.GIVEN.format(name=name, given=given) for name, given in survey.given.items()]
        yield Section("variables", why, before="".join(lines))


def _every_project(survey: Survey) -> Iterator[Section]:
    checks = "" if "adapter" in survey.project.choices.apps else snippets.CHECKS
    switches = "".join(snippets.SWITCH.format(name=name) for name in survey.switches)
    yield Section("debug", "off, and the system checks for functions on", snippets.DEBUG + checks, switches)
    yield Section("secret key", "one that the stack makes, and keeps in Secrets Manager", snippets.KEY)
    yield Section(
        "host",
        "the site's name is in X-Forwarded-Host, as CloudFront has to ask for the front door by another",
        snippets.HOST,
    )
    yield Section("https", "visitors come by nothing else, and the handler tells Django so", snippets.HTTPS)


def _static_files(survey: Survey) -> Iterator[Section]:
    project = survey.project
    if not project.choices.has_static_files:
        return
    code = snippets.STATIC_URL
    if project.choices.own_manifest and project.static_root and project.static_root.is_relative_to(survey.folder):
        why = f"from the bucket, by the names that {project.choices.storages['staticfiles']} makes"
    else:
        why = "from the bucket by hashed names, of which the package has a list"
        code += snippets.STATIC_FILES
    if any(path.startswith("whitenoise.") for path in project.choices.middleware):
        why += ", so that WhiteNoise is not needed"
        code += snippets.NO_WHITENOISE
    yield Section("static", why, code)


def _uploads(survey: Survey) -> Iterator[Section]:
    if needs_media_bucket(survey):
        package = survey.place.module.rpartition(".")[0]
        backend = f"{package}.{STORAGE}.MediaBucket".lstrip(".")
        yield Section("uploads", "to the bucket, and to visitors by the CDN", snippets.UPLOADS.format(backend=backend))


def _databases(survey: Survey) -> Iterator[Section]:
    choices = survey.project.choices
    if survey.needs_database:
        yield Section("database", "what DATABASE_URL names, as a function can't write to files", snippets.DATABASE)
    elif survey.names_database:
        yield Section("database", f"what DATABASE_URL names, which {survey.base.module} reads")
    if choices.databases:
        pool = any(database.pool for database in choices.databases.values())
        yield Section(
            "connection",
            "one a process, kept from request to request",
            snippets.CONNECTION + (snippets.NO_POOL if pool else ""),
        )


def _sessions(survey: Survey) -> Iterator[Section]:
    choices = survey.project.choices
    kind = choices.sessions.rpartition(".")[2]
    private = choices.caches.get("default", "").endswith(_PRIVATE_CACHES)
    if kind == "file" or (kind in {"cache", "cached_db"} and private):
        yield Section("sessions", "in the database, as each process has files and caches of its own", snippets.SESSIONS)


def _mail(survey: Survey) -> Iterator[Section]:
    if survey.needs_mail:
        code = snippets.MAILERS if survey.project.choices.uses_mailers else snippets.MAIL
        yield Section("mail", "by the server EMAIL_HOST, as nobody sees what is printed or kept", code)


def _logs(survey: Survey) -> Iterator[Section]:
    names = survey.project.choices.log_files
    if names:
        yield Section("logs", f"to CloudWatch, and not to files ({', '.join(names)})", snippets.LOGS)


def _tasks(survey: Survey) -> Iterator[Section]:
    choices = survey.project.choices
    backend = choices.tasks.get("default", "")
    if (_DJANGO >= 6 or "django_tasks" in choices.apps) and (not backend or backend.startswith(_IDLE_TASKS)):
        own = "TASKS" if backend else "{}"
        yield Section("tasks", "by the stack's queue and its worker", snippets.TASKS.format(own=own))


def _wagtail(survey: Survey) -> Iterator[Section]:
    if "wagtail.admin" in survey.project.choices.apps:
        yield Section("wagtail", "its mails link to the site's name, where that is known", snippets.WAGTAIL)


_SECTIONS: tuple[Callable[[Survey], Iterator[Section]], ...] = (
    _paths,
    _variables,
    _every_project,
    _static_files,
    _uploads,
    _databases,
    _sessions,
    _mail,
    _logs,
    _tasks,
    _wagtail,
)
_DJANGO = int(metadata.version("django").partition(".")[0])


def _defaults() -> tuple[str, ...]:
    """The settings that sections begin with, of those that Django has a value for."""
    names = ("ALLOWED_HOSTS", "INSTALLED_APPS", "SILENCED_SYSTEM_CHECKS", "STORAGES")
    return (*names, "TASKS") if _DJANGO >= 6 else names


def _told(section: Section, code: str) -> str:
    """The lines below what they are there for."""
    return f"# {section.title[0].upper()}{section.title[1:]}: {section.why}.\n{code}"
