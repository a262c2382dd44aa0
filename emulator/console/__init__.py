"""The console: a page below `PREFIX` that shows each invocation as it happens, opens it, and runs it again."""

from __future__ import annotations

from .pages import PREFIX, About, Console

__all__ = ["PREFIX", "About", "Console"]
