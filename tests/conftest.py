"""Settings for the tests that call Django in this process: the project that reports what it sees."""

from __future__ import annotations

import os
import signal

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.project.settings"

import django
from hypothesis import HealthCheck, settings

from tests.postgresql import postgresql  # noqa: F401 - a fixture for all tests

django.setup()

# The processes that tests start are given settings of their own, or must find them by themselves.
del os.environ["DJANGO_SETTINGS_MODULE"]

# A shell that starts a command in the background has it ignore Ctrl-C, and the processes that tests start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of what else this machine does than of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
