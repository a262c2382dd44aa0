"""Who may pass a front door: CORS, JWT and Lambda authorizers, API keys."""

from __future__ import annotations

from .errors import InvalidAccess
from .guard import Guard, guard
from .lambda_authorizers import Ask

__all__ = ["Ask", "Guard", "InvalidAccess", "guard"]
