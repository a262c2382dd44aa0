"""The part of CloudFront's API by which tools say what has changed: CreateInvalidation, GetInvalidation, list.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from ..http import Request, Response
from ..log import Log

_NAMESPACE = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
# Whatever comes before: an endpoint may have a path of its own.
_PATH = re.compile(r".*/2020-05-31/distribution/(?P<distribution>[A-Z0-9]+)/invalidation(?:/(?P<id>[A-Z0-9]+))?")
_TAG = re.compile(r"#[!-+\--~]{1,256}")
_LONGEST_PATH = 4_000
_KEPT = 100
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class _Invalidation:
    distribution: str
    id: str
    reference: str
    items: tuple[str, ...]
    made: str

    def xml(self, attributes: str = "") -> str:
        items = "".join(f"<Path>{escape(item)}</Path>" for item in self.items)
        return (
            f"<Invalidation{attributes}><Id>{self.id}</Id><Status>Completed</Status>"
            f"<CreateTime>{self.made}</CreateTime><InvalidationBatch><Paths><Quantity>{len(self.items)}</Quantity>"
            f"<Items>{items}</Items></Paths><CallerReference>{escape(self.reference)}</CallerReference>"
            "</InvalidationBatch></Invalidation>"
        )

    def summary(self) -> str:
        return (
            f"<InvalidationSummary><Id>{self.id}</Id><CreateTime>{self.made}</CreateTime><Status>Completed</Status>"
            "</InvalidationSummary>"
        )


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class InvalidationApi:
    """Has ``invalidate`` called with what is to be forgotten. Each invalidation is completed at once.

    Any well-formed id is taken for that of the one distribution there is, and signatures are not checked: who can reach
    this may read and change all else here, too. The last hundred invalidations are remembered.
    """

    def __init__(self, invalidate: Callable[[Collection[str]], None], log: Log) -> None:
        self._invalidate = invalidate
        self._log = log
        self._made: OrderedDict[str, _Invalidation] = OrderedDict()

    async def __call__(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except _Refusal as refusal:
            return _xml(
                refusal.status,
                f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{refusal.code}</Code>'
                f"<Message>{escape(str(refusal))}</Message></Error><RequestId>{uuid.uuid4()}</RequestId>"
                "</ErrorResponse>",
            )

    def _answer(self, request: Request) -> Response:
        match = _PATH.fullmatch(request.path)
        if match is None or request.method not in ({"GET", "POST"} if match["id"] is None else {"GET"}):
            raise _Refusal(
                400, "InvalidAction", "The emulator knows CreateInvalidation, GetInvalidation and ListInvalidations."
            )
        distribution = match["distribution"]
        namespace = f' xmlns="{_NAMESPACE}"'
        if request.method == "POST":
            invalidation = self._create(distribution, *_batch(request.body))
            location = ("Location", f"{request.path}/{invalidation.id}")
            return _xml(201, invalidation.xml(namespace), location)
        if match["id"] is not None:
            found = self._made.get(match["id"])
            if found is None or found.distribution != distribution:
                raise _Refusal(404, "NoSuchInvalidation", "The specified invalidation does not exist.")
            return _xml(200, found.xml(namespace))
        summaries = [made.summary() for made in reversed(self._made.values()) if made.distribution == distribution]
        return _xml(
            200,
            f"<InvalidationList{namespace}><Marker></Marker><MaxItems>{_KEPT}</MaxItems>"
            f"<IsTruncated>false</IsTruncated><Quantity>{len(summaries)}</Quantity><Items>{''.join(summaries)}</Items>"
            "</InvalidationList>",
        )

    def _create(self, distribution: str, reference: str, items: tuple[str, ...]) -> _Invalidation:
        """A repeated request gives the invalidation it has made before, and forgets nothing more."""
        for made in self._made.values():
            if (made.distribution, made.reference) == (distribution, reference):
                if made.items == items:
                    return made
                raise _Refusal(
                    400,
                    "InvalidationBatchAlreadyExists",
                    "There is an invalidation with this CallerReference and other paths.",
                )
        identifier = "I" + "".join(secrets.choice(_ALPHABET) for _ in range(25))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        invalidation = _Invalidation(distribution, identifier, reference, items, now)
        self._invalidate(items)
        self._log.note(f"the CDN forgets {', '.join(items[:3])}{f' and {len(items) - 3} more' if items[3:] else ''}")
        self._made[identifier] = invalidation
        if len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return invalidation


def _batch(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The caller's reference and the items of an InvalidationBatch."""
    try:
        if b"<!DOCTYPE" in body:
            raise ET.ParseError("a document type is not wanted here")
        root = ET.fromstring(body)  # noqa: S314 - without a document type there are no entities to expand
    except ET.ParseError as error:
        raise _Refusal(400, "MalformedInput", f"The body is no InvalidationBatch in XML: {error}.") from None
    texts = {name: root.findtext(f"{{*}}{name}") or "" for name in ("CallerReference", "Paths/{*}Quantity")}
    items = tuple(path.text or "" for path in root.findall("{*}Paths/{*}Items/{*}Path"))
    if not texts["CallerReference"] or not items:
        raise _Refusal(400, "InvalidArgument", "Both a CallerReference and at least one path are needed.")
    if texts["Paths/{*}Quantity"] != str(len(items)):
        raise _Refusal(400, "InconsistentQuantities", f"Quantity is not {len(items)}, the number of the paths.")
    for item in items:
        if not _TAG.fullmatch(item) and (
            not item.startswith("/") or "*" in item[:-1] or len(item) > _LONGEST_PATH or not item.isascii()
        ):
            raise _Refusal(
                400,
                "InvalidArgument",
                f"{item!r} is neither a tag (# and up to 256 visible characters) nor a path: URL-encoded, with a slash "
                f"at the beginning, * nowhere but at the end, and of {_LONGEST_PATH:,} characters at most.",
            )
    return texts["CallerReference"], items


def _xml(status: int, text: str, *headers: tuple[str, str]) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Response(status, [("Content-Type", "text/xml"), ("x-amzn-RequestId", str(uuid.uuid4())), *headers], body)
