"""The handler to name in the Lambda function's configuration: ``adapter.entrypoint.handler``.

Importing this module is the INIT phase: it loads the Django project that ``DJANGO_SETTINGS_MODULE`` names.
"""

from .boot import build_handler

handler = build_handler()
