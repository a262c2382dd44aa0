"""Sample chapters: an EPUB 3 with one page, the first sentence.

https://www.w3.org/TR/epub-33/
"""

import zipfile
from html import escape
from io import BytesIO

# ZIP knows no time before this; a fixed one makes the same book the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)

CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
  <rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
    <dc:identifier id="id">urn:first-line:{slug}</dc:identifier>
    <dc:title>{title}</dc:title>
    <dc:creator>{author}</dc:creator>
    <dc:language>{language}</dc:language>
    <meta property="dcterms:modified">1980-01-01T00:00:00Z</meta>
  </metadata>
  <manifest>
    <item id="page" href="page.xhtml" media-type="application/xhtml+xml"/>
    <item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
  </manifest>
  <spine><itemref idref="page"/></spine>
</package>
"""
PAGE = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="{language}">
  <head><title>{title}</title></head>
  <body dir="{direction}"><h1>{title}</h1><p>{author}</p><p>{opening}</p></body>
</html>
"""
NAVIGATION = """<?xml version="1.0" encoding="utf-8"?>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">
  <head><title>{title}</title></head>
  <body><nav epub:type="toc"><ol><li><a href="page.xhtml">{title}</a></li></ol></nav></body>
</html>
"""


def make_epub(**book: str) -> bytes:
    """`book` has slug, title, author, language, direction and opening."""
    fields = {name: escape(value) for name, value in book.items()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # The type comes first and uncompressed: readers look for it at byte 38.
        archive.writestr(zipfile.ZipInfo("mimetype", EPOCH), "application/epub+zip")
        for name, text in {
            "META-INF/container.xml": CONTAINER,
            "book.opf": PACKAGE.format(**fields),
            "page.xhtml": PAGE.format(**fields),
            "nav.xhtml": NAVIGATION.format(**fields),
        }.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
