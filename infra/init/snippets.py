"""The lines that are different in the functions' settings, each as it will stand there."""

from __future__ import annotations

HEAD = '''\
"""The settings of the functions: those of {base}, and what is different on AWS.

Written by `django-faas init`; from here on it is yours. DJANGO_SETTINGS_MODULE names it on the functions alone, and
where they are prepared; runserver and the tests go on with the others.
"""
# ruff: noqa: E402, F403, F405

import os
{imports}
# Django's own, for what the project leaves as it is.
from django.conf.global_settings import {defaults}
from django.core.exceptions import ImproperlyConfigured

package_folder = Path(__file__).resolve().parents[{depth}]  # where manage.py is
on_function = "AWS_LAMBDA_FUNCTION_NAME" in os.environ

'''

ADD_PATH = """\
sys.path.append(str(package_folder / "{name}"))
"""

GIVEN = """\
if "{given}" in os.environ:
    os.environ.setdefault("{name}", os.environ["{given}"])
"""

SWITCH = """\
os.environ.setdefault("{name}", "0")
"""

DEBUG = """\
DEBUG = False
"""

CHECKS = """\
INSTALLED_APPS = [*INSTALLED_APPS, "adapter"]
"""

KEY = """\
if "DJANGO_SECRET_KEY" in os.environ:
    SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
elif on_function:
    raise ImproperlyConfigured(
        "DJANGO_SECRET_KEY is not set. The stack gives it to its functions; elsewhere, as in the emulator, set it to "
        "any text: DJANGO_SECRET_KEY=secret"
    )
"""

HOST = """\
USE_X_FORWARDED_HOST = True
if "DJANGO_ALLOWED_HOSTS" in os.environ:
    ALLOWED_HOSTS = os.environ["DJANGO_ALLOWED_HOSTS"].split(",")
"""

HTTPS = """\
SECURE_PROXY_SSL_HEADER = None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "security.W008"]  # CloudFront redirects, before Django is asked
"""

STATIC_URL = """\
STATIC_URL = "/static/"
"""

STATIC_FILES = """\
STORAGES = {
    **STORAGES,
    "staticfiles": {
        "BACKEND": "static_sync.storage.ManifestStorage",
        "OPTIONS": {"manifest": package_folder / "staticfiles.json"},
    },
}
"""

NO_WHITENOISE = """\
MIDDLEWARE = [path for path in MIDDLEWARE if not path.startswith("whitenoise.")]
"""

UPLOADS = """\
MEDIA_URL = "/media/"
STORAGES = {{**STORAGES, "default": {{"BACKEND": "{backend}"}}}}
"""

DATABASE = '''\
def database_at(url):
    """The entry of DATABASES for postgres://user:password@host:5432/name?sslmode=require"""
    kinds = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "sqlite": "sqlite3"}
    try:
        parts = urlsplit(url)
        kind, port = kinds[parts.scheme], parts.port
    except (KeyError, ValueError):
        raise ImproperlyConfigured(
            "DATABASE_URL has to be postgres://user:password@host:port/name, or mysql://... In the password, %40 "
            "stands for an @, %2F for a /, %23 for a #."
        ) from None
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


if "DATABASE_URL" in os.environ:
    DATABASES = {**DATABASES, "default": database_at(os.environ["DATABASE_URL"])}
elif on_function:
    raise ImproperlyConfigured("DATABASE_URL is not set. Set it for the stage: django-faas env set DATABASE_URL")
'''

CONNECTION = """\
for database in DATABASES.values():
    database["CONN_MAX_AGE"] = database.get("CONN_MAX_AGE") or None
    database["CONN_HEALTH_CHECKS"] = True
    if "postg" in database.get("ENGINE", ""):
        database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
    if "pooler" in database.get("HOST", ""):  # Neon's and Supabase's share sessions
        database["DISABLE_SERVER_SIDE_CURSORS"] = True
"""

NO_POOL = """\
    database.get("OPTIONS", {}).pop("pool", None)  # its threads stand still between requests
"""

SESSIONS = """\
SESSION_ENGINE = "django.contrib.sessions.backends.db"
"""

MAILERS = """\
MAILERS = {
    **MAILERS,
    "default": {
        "OPTIONS": {
            "host": os.environ.get("EMAIL_HOST", ""),
            "port": int(os.environ.get("EMAIL_PORT", "587")),
            "use_tls": True,
            "username": os.environ.get("EMAIL_HOST_USER", ""),
            "password": os.environ.get("EMAIL_HOST_PASSWORD", ""),
        }
    },
}
"""

MAIL = """\
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "587"))
EMAIL_USE_TLS = True
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
"""

LOGS = """\
for name, handler in LOGGING["handlers"].items():
    if "filename" in handler:
        kept = {key: handler[key] for key in ("filters", "formatter", "level") if key in handler}
        LOGGING["handlers"][name] = {"class": "logging.StreamHandler", **kept}
"""

TASKS = """\
if "FAAS_JOBS_QUEUE_URL" in os.environ:
    tasks = {own}
    TASKS = {{**tasks, "default": {{**tasks.get("default", {{}}), "BACKEND": "adapter.tasks.SQSBackend"}}}}
"""

WAGTAIL = """\
if ALLOWED_HOSTS and not ALLOWED_HOSTS[0].startswith((".", "*")):
    WAGTAILADMIN_BASE_URL = f"https://{ALLOWED_HOSTS[0]}"
"""

MEDIA_BUCKET = '''\
"""Where uploads go on the function: to the stack's bucket, which the CDN serves at /media/.

Written by `django-faas init`; from here on it is yours.
"""

import os
from functools import cached_property
from urllib.parse import urljoin

from django.conf import settings
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible
from django.utils.encoding import filepath_to_uri


@deconstructible
class MediaBucket(Storage):
    """A link needs a file's name and nothing else; boto3, which takes long to import, comes with the first file."""

    @cached_property
    def bucket(self):
        from storages.backends.s3 import S3Storage

        return S3Storage(bucket_name=os.environ["FAAS_MEDIA_BUCKET"], location="media", file_overwrite=False)

    def url(self, name):
        return urljoin(settings.MEDIA_URL, filepath_to_uri(name))

    def _open(self, name, mode="rb"):
        return self.bucket.open(name, mode)

    def _save(self, name, content):
        return self.bucket._save(name, content)

    def get_available_name(self, name, max_length=None):
        return self.bucket.get_available_name(name, max_length)

    def delete(self, name):
        self.bucket.delete(name)

    def exists(self, name):
        return self.bucket.exists(name)

    def listdir(self, path):
        return self.bucket.listdir(path)

    def size(self, name):
        return self.bucket.size(name)

    def get_modified_time(self, name):
        return self.bucket.get_modified_time(name)
'''
