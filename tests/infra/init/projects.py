"""The projects that ``init`` is tried with, each as its maker has it before the first deployment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.emulator.helpers import ROOT, start_project

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.management import execute_from_command_line
    sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps"))
    execute_from_command_line(sys.argv)
"""
WSGI = """
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
application = get_wsgi_application()
"""
BASE = """
from pathlib import Path
import environ

root = Path(__file__).resolve().parents[2]
env = environ.Env(DEBUG=(bool, True))
env.read_env(root / ".env")
DEBUG = env("DEBUG")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "greetings",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": env.db()}
STATIC_URL = "assets/"
STATIC_ROOT = root / "collected"
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"disk": {"class": "logging.FileHandler", "filename": root / "site.log", "level": "INFO"}},
    "root": {"handlers": ["disk"]},
}
"""
LOCAL = """
from .base import *
SECRET_KEY = "for this machine"
"""
PRODUCTION = """
from .base import *
SECRET_KEY = env("SITE_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
STRIPE_KEY = env("STRIPE_KEY", default=None)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_PROTO", "on")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
"""
URLS = """
from django.contrib import admin
from django.urls import path
urlpatterns = [path("admin/", admin.site.urls)]
"""


def plain(folder: Path) -> None:
    """As `django-admin startproject` makes it."""
    start_project(folder)


def bookshop(folder: Path) -> None:
    """The sample: variables for all that differs, a static storage and a media storage of its own."""
    left_out = shutil.ignore_patterns("*.sqlite3*", "media", "staticfiles", ".faas", "__pycache__")
    shutil.copytree(ROOT / "samples" / "bookshop", folder, ignore=left_out, dirs_exist_ok=True)


def wagtail(folder: Path) -> None:
    """As `wagtail start` makes it: a package of settings, in which production has no key."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "wagtail.bin.wagtail", "start", "mysite", "."]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def split(folder: Path) -> None:
    """Settings split in three, read by django-environ from a .env file; WhiteNoise, a log file, apps in a folder."""
    settings = folder / "config" / "settings"
    greetings = folder / "apps" / "greetings"
    for place in (settings, greetings):
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
    (folder / "config" / "__init__.py").touch()
    files = {"manage.py": MANAGE, "config/wsgi.py": WSGI, "config/urls.py": URLS}
    files |= {f"config/settings/{name}.py": text for name, text in (("base", BASE), ("local", LOCAL))}
    files["config/settings/production.py"] = PRODUCTION
    files[".env"] = "SITE_KEY=this-machine's\nDATABASE_URL=sqlite:///db.sqlite3\nALLOWED_HOSTS=\nMAIL_KEY=k-1\n"
    files["requirements.txt"] = "Django\npsycopg[binary]\ndjango-environ\nwhitenoise\n"
    for name, text in files.items():
        (folder / name).write_text(text)


PROJECTS = {make.__name__: make for make in (plain, bookshop, wagtail, split)}
