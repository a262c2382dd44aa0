"""The XML documents that S3 and its clients exchange, read with expat and nothing that follows entities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus
from xml.parsers import expat

from static_sync.exceptions import UnreadableAnswerError
from static_sync.stores.contract import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# An object in a listing as S3, MinIO and moto write it. What needs a second look, entities among it, does not match.
_TEXT = r"[ !#-%'-;=?-~]*"
_SPACE = r"[ \t\r\n]*"
_OBJECT = re.compile(
    rf"{_SPACE}<Contents>"
    rf"{_SPACE}<Key>({_TEXT})</Key>"
    rf"{_SPACE}<LastModified>({_TEXT})</LastModified>"
    rf'{_SPACE}<ETag>(?:&quot;|&#34;|")({_TEXT})(?:&quot;|&#34;|")</ETag>'
    rf"{_SPACE}(?:<ChecksumAlgorithm>{_TEXT}</ChecksumAlgorithm>{_SPACE})?"
    rf"(?:<ChecksumType>{_TEXT}</ChecksumType>{_SPACE})?"
    rf"<Size>([0-9]{{1,18}})</Size>"
    rf"{_SPACE}(?:<Owner>{_SPACE}<ID>{_TEXT}</ID>{_SPACE}(?:<DisplayName>{_TEXT}</DisplayName>{_SPACE})?</Owner>"
    rf"{_SPACE})?(?:<StorageClass>{_TEXT}</StorageClass>{_SPACE})?</Contents>"
)
_MARK = "_"
# XML 1.0 has no way to write these: https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})
_DEEPEST = 16


class Page(NamedTuple):
    """One page of a listing; ``next_token`` is None on the last."""

    objects: dict[str, RemoteObject]
    next_token: str | None = None


def parse_page(body: bytes) -> Page:
    """Read the body of ListObjectsV2 that was asked for with ``encoding-type=url``.

    A service that knows this encoding says so, and writes keys as a form does: ``+`` is a space, a plus sign comes as
    ``%2B``; otherwise a key with a control character would make the XML unreadable.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
    """
    objects, document = _take_objects(body)
    about, others = _read_listing(document)
    if document is not body and _MARK not in about:
        about, others = _read_listing(body)
        objects = []
    is_encoded = about.get("EncodingType") == "url"
    page: dict[str, RemoteObject] = {}
    for key, modified, etag, size in (*objects, *others):
        if is_encoded and ("%" in key or "+" in key):
            key = unquote_plus(key, errors="surrogateescape")  # noqa: PLW2901
        page[key] = RemoteObject(etag.strip('"'), int(size), modified)
    if about.get("IsTruncated", "").strip() != "true":
        return Page(page)
    next_token = about.get("NextContinuationToken")
    if not next_token:
        raise UnreadableAnswerError("the listing says that it goes on, but not where")
    return Page(page, next_token)


def _read_listing(document: bytes) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """The elements of a listing that are no objects, and key, time, ETag and size of those that are."""
    about: dict[str, str] = {}
    objects: list[tuple[str, ...]] = []
    item: dict[str, str] = {}

    def leaf(path: tuple[str, ...], text: str) -> None:
        match path:
            case ("ListBucketResult", "Contents", name):
                item[name] = text
            case ("ListBucketResult", "Contents"):
                if not (item["Size"].isdecimal() and len(item["Size"]) <= 18):
                    raise UnreadableAnswerError(f"the size of {item['Key']} is {item['Size']!r}")
                objects.append((item["Key"], item.get("LastModified", ""), item.get("ETag", ""), item["Size"]))
                item.clear()
            case ("ListBucketResult", name):
                about[name] = text

    _parse(document, "ListBucketResult", leaf)
    return about, objects


def _take_objects(body: bytes) -> tuple[list[tuple[str, ...]], bytes]:
    """Key, time, ETag and size of a listing's objects, and the document with one mark in their place.

    Nothing is taken, and the document left as it is, unless all of it is ordinary: a call of Python for each element
    would take ten times as long.
    """
    text = body.decode("ascii", errors="replace")
    start, end = text.find("<Contents>"), text.rfind("</Contents>") + len("</Contents>")
    # Within comments and the like objects would be none.
    if start < 0 or not text.isascii() or "<!" in text or text.find("<?", 1) >= 0 or f"<{_MARK}" in text:
        return [], body
    found = []
    position = start
    for match in _OBJECT.finditer(text, start):
        if match.start() != position:
            break
        position = match.end()
        found.append(match.groups())
    if position != end:
        return [], body
    return found, f"{text[:start]}<{_MARK}/>{text[end:]}".encode()


def parse_result(body: bytes, root: str) -> dict[str, str]:
    """The elements directly below the root; raises `UnreadableAnswerError` unless the root is the one named."""
    elements: dict[str, str] = {}

    def leaf(path: tuple[str, ...], text: str) -> None:
        if len(path) == 2:
            elements[path[1]] = text.strip()

    _parse(body, root, leaf)
    return elements


def parse_error(body: bytes) -> dict[str, str]:
    """The elements of an ``<Error>`` document (``Code``, ``Message``, ...); empty when the body is none."""
    try:
        return parse_result(body, "Error")
    except UnreadableAnswerError:
        return {}


def is_writable(key: str) -> bool:
    """Whether XML can carry the key."""
    return _UNWRITABLE.search(key) is None


def write_deletion(keys: Iterable[str]) -> bytes:
    """The body of DeleteObjects that asks for an answer about failures only."""
    objects = "".join(f"<Object><Key>{key.translate(_ESCAPES)}</Key></Object>" for key in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{objects}</Delete>'.encode()


def write_completion(etags: Iterable[str]) -> bytes:
    """The body of CompleteMultipartUpload: the parts by their ETags, in order."""
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag.translate(_ESCAPES)}&quot;</ETag></Part>"
        for number, etag in enumerate(etags, 1)
    )
    return (
        f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{parts}</CompleteMultipartUpload>'
    ).encode()


def parse_deletion(body: bytes) -> dict[str, dict[str, str]]:
    """What a ``<DeleteResult>`` says was not deleted: the elements of the error by key."""
    failed: dict[str, dict[str, str]] = {}
    item: dict[str, str] = {}

    def leaf(path: tuple[str, ...], text: str) -> None:
        match path:
            case ("DeleteResult", "Error", name):
                item[name] = text
            case ("DeleteResult", "Error"):
                failed[item["Key"]] = dict(item)
                item.clear()

    _parse(body, "DeleteResult", leaf)
    return failed


def _parse(body: bytes, root: str, leave: Callable[[tuple[str, ...], str], None]) -> None:
    """Call ``leave`` with path and text at the end of each element; raises when the root's name is another."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    path: list[str] = []
    text: list[str] = []

    def start(name: str, _attributes: object) -> None:
        name = name.rpartition(" ")[2]
        if not path and name != root:
            raise UnreadableAnswerError(f"the document is a <{name}>, not a <{root}>")
        if len(path) == _DEEPEST:
            raise UnreadableAnswerError("its elements are nested too deeply")
        path.append(name)
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
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise UnreadableAnswerError(str(error)) from error
