"""What else a project needs before it can be deployed, which nobody can write for it."""

from __future__ import annotations

from collections.abc import Iterator

from ..configuration import FILE, Configuration
from . import settings
from .survey import Survey

_SAID_IN = ("uv.lock", "requirements*.txt", "requirements/*.txt", "pyproject.toml")


def notes(configuration: Configuration, survey: Survey) -> Iterator[str]:
    """What to do, a sentence or two each."""
    written = survey.place.module
    if (survey.folder / FILE).is_file() and configuration.settings not in {None, written}:
        yield f'{FILE} gives the functions {configuration.settings}. For those written here: settings = "{written}"'
    if survey.python == "3.11":
        # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        yield (
            "Lambda's Python 3.11 is on an older system, with older wheels and without SnapStart. If the project runs "
            f'on a newer one: python = "3.13" in {FILE}'
        )
    found = sorted(path for pattern in _SAID_IN for path in survey.folder.glob(pattern))
    if configuration.requirements is not None:
        found.append(configuration.requirements)
    if not found:
        yield (
            "Nothing says which packages the project needs. Write them into requirements.txt, such as "
            f"{' and '.join(['Django', *(name for name, _ in _packages(survey))])}."
        )
    said = "".join(path.read_text(encoding="utf-8", errors="replace") for path in found).lower()
    for name, purpose in _packages(survey):
        if found and name.partition("[")[0] not in said:
            yield f"{purpose} needs {name}, which {found[0].name} does not name: add it."
    if survey.missing:
        yield (
            f"The functions' settings ask for {', '.join(survey.missing)}, too. Set what the site needs, for each "
            "stage: django-faas env set NAME"
        )
    if survey.page is None:
        yield (
            "No page is known that answers to everybody. Each deploy looks at one before visitors get the new version: "
            "name it as SmokePath in template.yaml."
        )


def _packages(survey: Survey) -> Iterator[tuple[str, str]]:
    """What the function's settings use besides Django, as far as can be seen from here."""
    engines = {database.engine for database in survey.project.choices.databases.values()}
    if survey.needs_database or any("postg" in engine for engine in engines):
        yield "psycopg[binary]", "PostgreSQL"
    if settings.needs_media_bucket(survey):
        yield "django-storages[s3]", "The bucket for uploads"


def next_steps(survey: Survey) -> Iterator[str]:
    """The commands that come now."""
    if survey.reads_database_url:
        yield "django-faas env set DATABASE_URL"
    yield "django-faas deploy"
