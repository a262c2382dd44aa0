from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from emulator.exceptions import ProjectError
from emulator.project import Choices, Database, Project, inspect
from tests.emulator.helpers import replace, start_project

VARIABLES = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}


def look(folder: Path, **variables: str) -> Project:
    return asyncio.run(inspect(folder, {**VARIABLES, **variables}))


def look_closely(folder: Path, **variables: str) -> Project:
    return asyncio.run(inspect(folder, {**VARIABLES, **variables}, choices=True))


def refusal(folder: Path, **variables: str) -> str:
    with pytest.raises(ProjectError) as caught:
        look(folder, **variables)
    text = str(caught.value)
    assert "Traceback" not in text
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return start_project(tmp_path / "site")


@pytest.fixture
def settings(folder: Path) -> Path:
    return folder / "mysite" / "settings.py"


def test_a_fresh_project(folder: Path) -> None:
    project = look(folder)
    assert project.settings == "mysite.settings"
    assert (project.static_path, project.static_relative, project.static_note) == ("/static/", True, None)
    assert project.media_path is None
    assert project.static_root is None
    assert project.debug
    assert project.variables == {"DJANGO_SETTINGS_MODULE": "mysite.settings"}


def test_settings_that_matter_are_reported(folder: Path, settings: Path) -> None:
    settings.write_text(
        settings.read_text()
        + "\nDEBUG = False\nALLOWED_HOSTS = ['example.com']\nSTATIC_URL = '/assets/v1/'\nMEDIA_URL = 'uploads/'\n"
        "MEDIA_ROOT = BASE_DIR / 'up'\nSTATIC_ROOT = 'collected'\nSTATICFILES_DIRS = [BASE_DIR / 'a', ('p', '/else')]\n"
        "STORAGES = {'default': {'BACKEND': 'storages.backends.s3.S3Storage'}, 'staticfiles': "
        "{'BACKEND': 'django.contrib.staticfiles.storage.ManifestStaticFilesStorage'}}\n"
    )
    project = look(folder)
    assert (project.static_path, project.static_relative) == ("/assets/v1/", False)
    assert (project.media_path, project.media_root) == ("/uploads/", folder / "up")
    assert project.static_root == folder / "collected"
    assert project.static_dirs == (folder / "a", Path("/else"))
    assert project.hashes_static
    assert (project.debug, project.allowed_hosts) == (False, ("example.com",))


def test_a_storage_of_the_projects_own_that_writes_files_stays_with_django(folder: Path, settings: Path) -> None:
    (folder / "mysite" / "storage.py").write_text(
        "from django.core.files.storage import FileSystemStorage, InMemoryStorage\n"
        "class Files(FileSystemStorage): pass\nclass Remote(InMemoryStorage): pass\n"
    )
    text = settings.read_text() + "\nMEDIA_URL = '/media/'\n"
    storages = "STORAGES = {{'default': {{'BACKEND': 'mysite.storage.{}'}}, 'staticfiles': {{'BACKEND': 'x.Y'}}}}\n"
    settings.write_text(text + storages.format("Files"))
    assert look(folder).media_path is None
    settings.write_text(text + storages.format("Remote"))
    assert look(folder).media_path == "/media/"


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("INSTALLED_APPS.remove('django.contrib.staticfiles')", "not in INSTALLED_APPS"),
        ("STATIC_URL = 'https://cdn.example.com/s/'", "https://cdn.example.com/s/"),
        ("STATIC_URL = None", "STATIC_URL is not set"),
        ("STATIC_URL = '/'", "leaves no path"),
    ],
)
def test_projects_whose_static_files_are_not_ours_to_serve(folder: Path, settings: Path, line: str, note: str) -> None:
    settings.write_text(f"{settings.read_text()}\n{line}\n")
    project = look(folder)
    assert project.static_path is None
    assert note in (project.static_note or "")


def test_what_manage_py_prepares_is_reported(folder: Path, settings: Path) -> None:
    (folder / "apps").mkdir()
    replace(
        folder / "manage.py",
        "def main.*:\n",
        "def main():\n    print('hello')\n    os.environ['FROM_MANAGE'] = 'yes'\n"
        "    sys.path.append(os.path.abspath('apps'))\n",
    )
    settings.write_text(f"{settings.read_text()}\nimport os\nassert os.environ['FROM_MANAGE']\n")
    project = look(folder)
    assert project.variables["FROM_MANAGE"] == "yes"
    assert project.paths == (str(folder / "apps"),)


def test_the_environment_names_the_settings_before_manage_py_does(folder: Path, settings: Path) -> None:
    settings.rename(settings.with_name("other.py"))
    assert look(folder, DJANGO_SETTINGS_MODULE="mysite.other").settings == "mysite.other"
    (folder / "manage.py").unlink()
    assert look(folder, DJANGO_SETTINGS_MODULE="mysite.other").settings == "mysite.other"


def test_no_manage_py(tmp_path: Path, folder: Path) -> None:
    text = refusal(tmp_path)
    assert f"no manage.py in {tmp_path}" in text
    assert "cd site" in text
    text = refusal(folder / "mysite")
    assert f"cd {folder}" in text
    (folder / "manage.py").unlink()
    assert "django-admin startproject" in refusal(folder)


def test_a_package_that_hides_one_of_ours(folder: Path) -> None:
    (folder / "adapter").mkdir()
    look(folder)  # a plain folder hides nothing
    (folder / "adapter" / "__init__.py").touch()
    assert f"Give {folder / 'adapter'} another name" in refusal(folder)


def test_settings_that_are_not_there(folder: Path) -> None:
    text = refusal(folder, DJANGO_SETTINGS_MODULE="mysite.setings")
    assert "'mysite.setings': there is no module 'mysite.setings'" in text
    assert str(folder) in text
    assert "there is no module 'nothing'" in refusal(folder, DJANGO_SETTINGS_MODULE="nothing.settings")


def test_settings_that_fail_are_named_with_the_line(folder: Path, settings: Path) -> None:
    original = settings.read_text()
    count = len(original.splitlines())
    settings.write_text(f"{original}1 / 0\n")
    assert f"mysite/settings.py:{count + 1}: ZeroDivisionError: division by zero" in refusal(folder)
    settings.write_text(f"{original}import not_installed\n")
    assert f"mysite/settings.py:{count + 1}: ModuleNotFoundError: No module named 'not_installed'" in refusal(folder)
    settings.write_text(f"{original}def (\n")
    text = refusal(folder)
    assert f"mysite/settings.py:{count + 1}: " in text
    assert "SyntaxError" in text
    settings.write_text(f"{original}import sys\nsys.exit('set SECRET first')\n")
    assert "set SECRET first" in refusal(folder)


def test_settings_that_django_refuses(folder: Path, settings: Path) -> None:
    settings.write_text(
        f"{settings.read_text()}\nfrom django.core.exceptions import ImproperlyConfigured\n"
        "raise ImproperlyConfigured('Set the DATABASE_URL environment variable')\n"
    )
    text = refusal(folder)
    assert text == "The settings mysite.settings are refused by Django: Set the DATABASE_URL environment variable"


def test_a_manage_py_that_fails_or_names_nothing(folder: Path) -> None:
    manage = folder / "manage.py"
    original = manage.read_text()
    manage.write_text("import gone\n")
    assert "manage.py:1: ModuleNotFoundError: No module named 'gone'" in refusal(folder)
    manage.write_text("print('no Django here')\n")
    assert "does not set DJANGO_SETTINGS_MODULE" in refusal(folder)
    manage.write_text(original + "\nimport os\nos._exit(4)\n")
    assert look(folder).settings == "mysite.settings"  # what comes after the hand-over is not run
    manage.write_text("import os\nos._exit(4)\n")
    assert "exit code 4" in refusal(folder)


def test_what_decides_how_a_project_is_deployed(folder: Path, settings: Path) -> None:
    choices = look_closely(folder).choices
    assert choices.file == settings
    assert look(folder).choices == Choices()  # as nobody has asked
    assert (choices.wsgi, choices.asgi) == ("mysite.wsgi.application", None)
    assert "django.contrib.admin" in choices.apps
    assert "django.middleware.security.SecurityMiddleware" in choices.middleware
    assert choices.storages["staticfiles"] == "django.contrib.staticfiles.storage.StaticFilesStorage"
    assert (choices.has_static_files, choices.own_manifest, choices.media_in_files) == (True, False, True)
    assert choices.databases == {"default": Database("django.db.backends.sqlite3")}
    assert choices.sessions == "django.contrib.sessions.backends.db"
    assert choices.caches == {"default": "django.core.cache.backends.locmem.LocMemCache"}
    assert (choices.log_files, choices.key_variables) == ((), ())

    (folder / "mysite" / "storage.py").write_text(
        "from django.contrib.staticfiles.storage import ManifestStaticFilesStorage\n"
        "class Hashed(ManifestStaticFilesStorage): pass\n"
    )
    settings.write_text(
        f"{settings.read_text()}\nASGI_APPLICATION = 'mysite.asgi.application'\n"
        "STORAGES = {'default': {'BACKEND': 'storages.backends.s3.S3Storage'}, 'staticfiles': "
        "{'BACKEND': 'mysite.storage.Hashed'}}\n"
        "DATABASES['other'] = {'ENGINE': 'django.db.backends.postgresql', 'PASSWORD': 'hidden', "
        "'OPTIONS': {'pool': 1}}\n"
        "LOGGING = {'handlers': {'disk': {'filename': 'x.log'}, 'screen': {}}}\n"
        "TASKS = {'default': {'BACKEND': 'some.Backend'}}\n"
        "globals().pop('MAILERS', None)\nEMAIL_BACKEND = 'mail.Backend'\n"
    )
    choices = look_closely(folder).choices
    assert choices.asgi == "mysite.asgi.application"
    assert (choices.own_manifest, choices.media_in_files) == (True, False)
    assert choices.databases["other"] == Database("django.db.backends.postgresql", pool=True)
    assert "hidden" not in str(choices)
    assert choices.log_files == ("disk",)
    assert choices.tasks == {"default": "some.Backend"}
    assert (choices.mail, choices.uses_mailers) == ("mail.Backend", False)
    replace(settings, "EMAIL_BACKEND = .*", "MAILERS = {'default': {'BACKEND': 'other.Backend'}}")
    choices = look_closely(folder).choices
    assert (choices.mail, choices.uses_mailers) == ("other.Backend", True)


def test_the_variables_a_project_asks_for(folder: Path, settings: Path) -> None:
    settings.write_text(
        f"{settings.read_text()}\nimport os, tempfile\n"
        "everything = dict(os.environ)\n"
        "tempfile.gettempdir()\n"  # which asks for TMPDIR
        "import boto3\n"  # which asks for a good many
        "SECRET_KEY = os.environ['SITE_KEY']\n"
        "os.getenv('NOBODY_HAS_IT')\n"
        "'LEFT_OUT' in os.environ\n"
    )
    project = look_closely(folder, SITE_KEY="k-1", UNRELATED="u")
    assert project.choices.asked == ("DJANGO_SETTINGS_MODULE", "SITE_KEY", "NOBODY_HAS_IT", "LEFT_OUT")
    assert project.choices.key_variables == ("SITE_KEY",)
    assert "k-1" not in str(project)


def test_a_variable_asked_for_by_a_library_on_the_projects_behalf(folder: Path, settings: Path) -> None:
    text = settings.read_text()
    settings.write_text(f"{text}\nimport dj_database_url\nDATABASES['a'] = dj_database_url.config('A_URL')\n")
    assert "A_URL" in look_closely(folder, A_URL="postgres://u:hidden@host/n").choices.asked
