"""What a file is, by its name: one table for every machine.

The table of the host is never asked: it differs between systems (the Windows registry makes JavaScript text/plain on
some machines, https://github.com/aws/aws-cli/issues/3367), and a wrong type costs compression at the CDN, which goes by
type.
"""

from __future__ import annotations

OCTET_STREAM = "application/octet-stream"

CONTENT_TYPES = {
    # text and code
    ".css": "text/css",
    ".csv": "text/csv",
    ".htc": "text/x-component",
    ".htm": "text/html",
    ".html": "text/html",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".less": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".sass": "text/plain",
    ".scss": "text/plain",
    ".text": "text/plain",
    ".ts": "text/plain",
    ".tsx": "text/plain",
    ".jsx": "text/plain",
    ".po": "text/plain",
    ".rst": "text/plain",
    ".txt": "text/plain",
    ".vcf": "text/vcard",
    ".vtt": "text/vtt",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    # data
    ".atom": "application/atom+xml",
    ".geojson": "application/geo+json",
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".map": "application/json",
    ".rss": "application/rss+xml",
    ".topojson": "application/json",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".xsl": "application/xslt+xml",
    ".xslt": "application/xslt+xml",
    # fonts
    ".eot": "application/vnd.ms-fontobject",
    ".otf": "font/otf",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    # images
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".cur": "image/x-icon",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".jxl": "image/jxl",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    # sound and film
    ".aac": "audio/aac",
    ".flac": "audio/flac",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".mid": "audio/midi",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    # models, documents, archives
    ".7z": "application/x-7z-compressed",
    ".br": OCTET_STREAM,
    ".bz2": "application/x-bzip2",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pdf": "application/pdf",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rtf": "application/rtf",
    ".swf": "application/x-shockwave-flash",
    ".tar": "application/x-tar",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
    ".zst": "application/zstd",
}

# A name that ends so beside the plain file holds the same bytes compressed: WhiteNoise's storage writes such pairs.
ENCODINGS = {".br": "br", ".gz": "gzip", ".zst": "zstd"}


def suffix_of(name: str) -> str:
    """The last suffix of a ``/``-separated name, in lower case, with its dot; empty when there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def content_type(name: str) -> str:
    """The Content-Type for ``name``, without its charset."""
    return CONTENT_TYPES.get(suffix_of(name), OCTET_STREAM)


def is_text(kind: str) -> bool:
    """Whether the Content-Type ``kind`` takes a charset.

    JSON is UTF-8 by definition (RFC 8259) and XML declares its encoding inside: neither takes the parameter.
    """
    return kind.startswith("text/")


def with_charset(kind: str) -> str:
    """The Content-Type of a text whose bytes are UTF-8.

    Any other goes without, so that an old page's own ``<meta charset>`` still counts.
    """
    return f"{kind}; charset=utf-8"
