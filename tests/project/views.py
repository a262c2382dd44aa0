"""Views that report what they were sent, and views whose answers are awkward to carry."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)

EVERY_BYTE = bytes(range(256))


def seen(request: HttpRequest) -> JsonResponse:
    """All that Django makes of the request."""
    body = request.body
    report: dict[str, Any] = {
        "method": request.method,
        "path": request.path,
        "path_info": request.path_info,
        "query": request.META["QUERY_STRING"],
        "GET": dict(request.GET.lists()),
        "POST": dict(request.POST.lists()),
        "FILES": {
            name: [[upload.name, upload.content_type, upload.size, digest(upload.read())] for upload in uploads]
            for name, uploads in request.FILES.lists()
        },
        "COOKIES": request.COOKIES,
        "headers": {name: value for name, value in sorted(request.headers.items()) if not name.startswith("X-Amz")},
        "content_type": request.content_type,
        "content_params": request.content_params,
        "body": [len(body), digest(body)],
        "host": request.get_host(),
        "secure": request.is_secure(),
        "uri": request.build_absolute_uri(),
        "port": request.get_port(),
        "client": request.META.get("REMOTE_ADDR", ""),
        "user": request.META.get("REMOTE_USER") or request.META.get("HTTP_REMOTE_USER"),
    }
    return JsonResponse(report)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def two_cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("two cookies")
    response.set_cookie("first", "1", max_age=60, secure=True)
    response.set_cookie("second", "two words", httponly=True)
    response["Vary"] = "Accept"
    return response


def binary(request: HttpRequest) -> HttpResponse:
    return HttpResponse(EVERY_BYTE, content_type="image/png")


def latin(request: HttpRequest) -> HttpResponse:
    return HttpResponse("café".encode("latin-1"), content_type="text/plain; charset=iso-8859-1")


def greek(request: HttpRequest) -> HttpResponse:
    return HttpResponse("λάμδα", content_type="application/problem+json")


def compressed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"plain text, though said to be packed", headers={"Content-Encoding": "br"})


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(EVERY_BYTE), as_attachment=True, filename="übersicht €.bin")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def lines() -> Iterator[str]:
        for number in range(5):
            yield f"line {number}\n"

    return StreamingHttpResponse(lines(), content_type="text/plain")


def redirect(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect("/seen/?next=/caf%C3%A9/")


def unchanged(request: HttpRequest) -> HttpResponse:
    return HttpResponseNotModified(headers={"ETag": '"abc"'})


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=204)


def teapot(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=418, content=b"short and stout", content_type="text/plain")


def broken(request: HttpRequest) -> HttpResponse:
    raise LookupError("on purpose")
