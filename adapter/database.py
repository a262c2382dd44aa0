"""What happens to database connections that the adapter has to take away from a request."""

from __future__ import annotations

import sys


def abandon_request() -> None:
    """End a request that was broken off midway, as Django would have: its signal sent, its connections closed.

    A connection may have been left in the middle of an exchange with its server. Nothing is imported for it: where
    Django's modules are not loaded there is nothing to end.
    """
    signals = sys.modules.get("django.core.signals")
    if signals is not None:
        signals.request_finished.send(sender=abandon_request)
    database = sys.modules.get("django.db")
    if database is not None:
        for connection in database.connections.all(initialized_only=True):
            connection.close()
