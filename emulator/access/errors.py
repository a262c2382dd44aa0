"""What is wrong with a door's access rules before any request has come."""

from __future__ import annotations

from ..exceptions import EmulatorError


class InvalidAccess(EmulatorError):
    """A front door can't have this rule, or not in this form; says which can, or what to write."""
