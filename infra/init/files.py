"""The files that ``init`` writes: what is in them, and that none which is there is ever touched."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..build import ignored
from ..configuration import FILE, Configuration
from ..exceptions import ConfigurationError
from . import settings, snippets, template
from .survey import Survey

_TEMPLATE = "template.yaml"


@dataclass(frozen=True)
class File:
    """A file for the project; ``purpose`` is one line. ``found`` is what is there already, None where nothing is."""

    path: Path
    purpose: str
    text: str
    found: str | None

    def write(self) -> None:
        """Raises `ConfigurationError` where that fails, or something has come there meanwhile."""
        try:
            with self.path.open("x", encoding="utf-8") as file:
                file.write(self.text)
        except OSError as error:
            raise ConfigurationError(f"{self.path} can't be written: {error.strerror}.") from None

    def difference(self, folder: Path) -> str:
        """How what would have been written differs from what is there, as ``diff -u`` shows it."""
        name = self.path.relative_to(folder).as_posix()
        before, after = (self.found or "").splitlines(keepends=True), self.text.splitlines(keepends=True)
        return "".join(difflib.unified_diff(before, after, name, f"{name} as init would write it"))


def files(configuration: Configuration, survey: Survey) -> list[File]:
    """What belongs beside the project; raises `ConfigurationError` for a file there that can't be read."""
    return list(_files(configuration, survey))


def _files(configuration: Configuration, survey: Survey) -> Iterator[File]:
    folder, place = survey.folder, survey.place
    module = configuration.settings or place.module
    yield _file(folder / FILE, "the project's name, versions and stages", _configuration(configuration, survey, module))
    if configuration.template is None:
        yield _file(folder / _TEMPLATE, "the stack: CDN, bucket, functions, queue, alarms", _template(survey, module))
    yield _file(place.path, "the settings of the functions", settings.text(survey))
    if settings.needs_media_bucket(survey):
        path = place.path.with_name(f"{settings.STORAGE}.py")
        yield _file(path, "the storage for uploads", snippets.MEDIA_BUCKET)
    yield _file(folder / ignored.FILE, "what stays out of the functions' package", ignored.DEFAULTS)


def _file(path: Path, purpose: str, text: str) -> File:
    try:
        found = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        found = None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is there and can't be read: {error}.") from None
    return File(path, purpose, text, found)


def _configuration(configuration: Configuration, survey: Survey, module: str) -> str:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    where = f'region = "{region}"' if region else '# region = "eu-central-1"  # else AWS_REGION, or your profile\'s'
    return f"""\
# How django-faas builds and deploys this project, for everyone who does.
name = "{configuration.name}"  # the stack is {configuration.name}-production
settings = "{module}"
interface = "{survey.interface}"
python = "{survey.python}"
architecture = "{configuration.architecture}"

# A stage is a copy of the site on AWS; django-faas deploy --stage staging makes another.
[stages.production]
{where}

# Parameters of {_TEMPLATE}, where this stage is to differ from their defaults.
[stages.production.parameters]
# DomainName = "www.example.com"
# CertificateArn = "arn:aws:acm:us-east-1:123456789012:certificate/..."

# Variables of the functions that may be read by everyone. For all others: django-faas env set NAME
[stages.production.variables]
"""


def _template(survey: Survey, module: str) -> str:
    defaults = {"SettingsModule": module, "Interface": survey.interface, "PythonVersion": survey.python}
    if survey.page is not None:
        defaults["SmokePath"] = survey.page
    return template.text(defaults)
