"""What S3 answers in XML, read with expat and nothing that follows entities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.parsers import expat

from static_sync.exceptions import UnreadableAnswerError
from static_sync.stores.contract import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class Page:
    """One page of a listing; ``next_token`` is None on the last."""

    objects: dict[str, RemoteObject] = field(default_factory=dict)
    next_token: str | None = None


def parse_page(body: bytes) -> Page:
    """Read the body of ListObjectsV2 that was asked for with ``encoding-type=url``.

    The service encodes keys as a form does: ``+`` is a space, a plus sign comes as ``%2B``; otherwise a key with a
    control character would make the XML unreadable.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    page = Page()
    item: dict[str, str] = {}
    truncated = False

    def leaf(path: tuple[str, ...], text: str) -> None:
        nonlocal truncated
        match path:
            case ("ListBucketResult", "Contents", name):
                item[name] = text
            case ("ListBucketResult", "Contents"):
                key = unquote_plus(item["Key"], errors="surrogateescape")
                page.objects[key] = RemoteObject(item.get("ETag", "").strip('"'), int(item["Size"]))
                item.clear()
            case ("ListBucketResult", "IsTruncated"):
                truncated = text.strip() == "true"
            case ("ListBucketResult", "NextContinuationToken"):
                page.next_token = text

    root = _parse(body, leaf)
    if root != "ListBucketResult":
        raise UnreadableAnswerError(f"the document is a <{root}>, not a <ListBucketResult>")
    if truncated and not page.next_token:
        raise UnreadableAnswerError("the listing says that it goes on, but not where")
    if not truncated:
        page.next_token = None
    return page


def parse_error(body: bytes) -> dict[str, str]:
    """The elements of an ``<Error>`` document (``Code``, ``Message``, ...); empty when the body is none."""
    elements: dict[str, str] = {}

    def leaf(path: tuple[str, ...], text: str) -> None:
        if len(path) == 2 and path[0] == "Error":
            elements[path[1]] = text.strip()

    try:
        _parse(body, leaf)
    except UnreadableAnswerError:
        return {}
    return elements


def _parse(body: bytes, leave: Callable[[tuple[str, ...], str], None]) -> str:
    """Call ``leave`` with path and text at the end of each element; returns the root's name."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    path: list[str] = []
    root = ""
    text: list[str] = []

    def start(name: str, _attributes: object) -> None:
        nonlocal root
        path.append(name.rpartition(" ")[2])
        root = root or path[0]
        text.clear()

    def end(_name: str) -> None:
        leave(tuple(path), "".join(text))
        path.pop()
        text.clear()

    def doctype(*_declaration: object) -> None:
        # No S3 service sends one, and entities are the way XML is made to explode.
        raise UnreadableAnswerError("it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, KeyError, ValueError) as error:
        raise UnreadableAnswerError(str(error)) from error
    return root
