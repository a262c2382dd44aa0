"""A Runtime API loop of our own, for any Lambda handler: ``python -m adapter.runtime``."""

from .client import Invocation, RuntimeClient
from .context import LambdaContext
from .loop import run, serve

__all__ = ["Invocation", "LambdaContext", "RuntimeClient", "run", "serve"]
