"""What differs from one function to the next comes from the environment; the rest is as a project would have it."""

import os

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.end_to_end.visits.urls"
INSTALLED_APPS = ["tests.end_to_end.visits"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "shop",
        "HOST": os.environ["VISITS_HOST"],
        "PORT": os.environ.get("VISITS_PORT", ""),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": bool(os.environ.get("VISITS_CHECKED")),
        "OPTIONS": {"application_name": "function"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
