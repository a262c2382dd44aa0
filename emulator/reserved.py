"""The paths on the CDN's port that are the emulator's own: the console, and CloudFront's API for invalidations."""

from __future__ import annotations

from .console import PREFIX
from .http import Request, Response
from .server import Handler

_CLOUDFRONT = f"{PREFIX}cloudfront"


class Reserved:
    """Has ``console`` and ``cloudfront`` answer below ``/.faas/``, and ``site`` everything else."""

    def __init__(self, site: Handler, console: Handler, cloudfront: Handler) -> None:
        self._site = site
        self._console = console
        self._cloudfront = cloudfront

    async def __call__(self, request: Request) -> Response:
        # With its last slash or without.
        if not f"{request.path}/".startswith(PREFIX):
            return await self._site(request)
        if request.path.startswith(f"{_CLOUDFRONT}/"):
            return await self._cloudfront(request)
        return await self._console(request)
