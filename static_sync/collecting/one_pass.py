"""Hashed names in one pass: what Django's `HashedFilesMixin` does in several, each over all files.

Django's way reads, rewrites and saves every stylesheet and script at least twice, and again until no name changes, as
the name of a file depends on the names of those it refers to. Here the references of each are found once, by Django's
own code, and set down as a template; names then follow from the templates alone, and only the last ones are written.
The names that Django would have had in between are worked out as well: it removes files of these names, and gives up
when there are too many rounds of them.

All is worked out before anything is written. Where something is out of the ordinary (a reference to nothing, a circle,
an odd name), nothing has happened yet and Django's own way is taken, with its outcome and its messages.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager, suppress
from functools import cache
from types import new_class
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from static_sync.collecting import own_way

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from django.core.files.base import File
    from django.core.files.storage import Storage

    from static_sync.collecting.folder import Folder

    # What post_process gives for a file: its name, its hashed name, whether that is new.
    Processed = tuple[str, str, bool]

# `hashed_name` takes a name for a quoted URL: these are the names that are not changed by that.
_PLAIN_NAME = re.compile(r"(?!\s)[^%?#:\\\x00-\x1f\x7f]+(?<!\s)")
_HASH_LENGTH = 12
_SOURCE_MAP = "sourceMappingURL"


class UnusualError(Exception):
    """A tree that is left to Django's own way; this never leaves the module."""


@contextmanager
def in_one_pass(storage: Storage, folder: Folder) -> Iterator[None]:
    """Have ``storage`` name the files copied into ``folder`` in one pass, while this lasts, if it can be done."""
    if not own_way.hashes(storage):
        yield
        return
    kept = type(storage)
    storage.__class__ = _with_one_pass(kept, folder)
    try:
        yield
    finally:
        storage.__class__ = kept


def _with_one_pass(cls: type[Any], folder: Folder) -> type[Any]:
    """``cls`` with bases that come right before those of Django which they extend: what extends these, extends ours."""
    from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestFilesMixin

    class OnePass(HashedFilesMixin):
        def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
            if dry_run:
                return
            plan = None
            with suppress(Exception):  # whatever it is, Django comes to it too, and says so in its own words
                plan = make_plan(self, paths, folder)
            if plan is not None:
                yield from plan.carry_out(self, folder)
            else:
                folder.prune()
                yield from super().post_process(paths, dry_run, **options)

    class WholeManifest(ManifestFilesMixin):
        manifest_storage: Any

        def save_manifest(self) -> None:
            if self.manifest_storage is not self:
                super().save_manifest()
                return
            self.manifest_storage = _Whole(folder)
            try:
                super().save_manifest()
            finally:
                self.manifest_storage = self

    bases = (cls, WholeManifest, OnePass) if issubclass(cls, ManifestFilesMixin) else (cls, OnePass)
    # Some messages hold the name of the class.
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return new_class(cls.__name__, bases, exec_body=lambda namespace: namespace.update(named))


class _Whole:
    """Of a storage, what `save_manifest` calls: the manifest is replaced at once, not removed and then written."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def exists(self, _name: str) -> bool:
        return False

    def _save(self, name: str, content: File[bytes]) -> None:
        self._folder.copy(content.chunks, name)


class Template(NamedTuple):
    """The bytes of a file in which each name of an adjustable file holds a token instead of that file's hash."""

    content: bytes
    references: dict[bytes, str]  # token -> name of the file

    def render(self, digests: Mapping[str, str]) -> bytes:
        content = self.content
        for token, name in self.references.items():
            content = content.replace(token, digests[name][:_HASH_LENGTH].encode())
        return content


class Plan(NamedTuple):
    """What is to lie in the folder.

    ``hashed`` gives each file's hashed name, in the order in which Django comes to them; ``digests`` the MD5 (hex) of
    the bytes under that name; ``templates`` those bytes, where they are others than the file's own; ``superseded`` the
    names that Django would have used on its way, and would have removed.
    """

    hashed: dict[str, str]
    digests: dict[str, str]
    templates: dict[str, Template]
    adjustable: dict[str, None]
    superseded: frozenset[str]

    def carry_out(self, storage: Any, folder: Folder) -> Iterator[Processed]:
        folder.kept.update(self.hashed.values())
        folder.prune()
        for name, hashed in self.hashed.items():
            there = folder.holds(hashed, self.digests[name])
            if not there:
                template = self.templates.get(name)
                content = folder.read(name) if template is None else [template.render(self.digests)]
                folder.write(hashed, content, self.digests[name])
            if name not in self.adjustable:
                yield name, hashed, not there
        for hashed in self.superseded:
            if folder.entry(hashed) is not None:
                storage.delete(hashed)
        storage.hashed_files.update(self.hashed)
        for name in self.adjustable:
            yield name, self.hashed[name], True


def make_plan(storage: Any, paths: Mapping[str, tuple[Any, str]], folder: Folder) -> Plan:
    """Work out the names of all ``paths``, given as collectstatic gives them to ``post_process``, copied to ``folder``.

    Raises `UnusualError`, or what Django's own code raises, for a tree that is for Django.
    """
    from django.contrib.staticfiles.utils import matches_patterns

    if storage.keep_intermediate_files:
        raise UnusualError("the files of every round are to be kept")
    for name in paths:
        if name not in folder.copies or not _PLAIN_NAME.fullmatch(name):
            raise UnusualError(f"{name} is an odd name")
    order = sorted(paths, key=lambda name: name.count(os.sep), reverse=True)
    adjustable = {name: None for name in order if matches_patterns(name, storage._patterns)}
    references = _References(storage, adjustable, folder.copies)
    templates = {}
    for name in adjustable:
        original = b"".join(folder.read(name))
        content = _refer(storage, name, paths[name][1], original.decode(), references).encode()
        tokens = references.take(original)
        if content != original:
            templates[name] = Template(content, tokens)
    digests = {name: folder.copies[name] for name in order}
    passed = _settle(digests, templates, storage.max_post_process_passes)
    if not _has_djangos_patterns(storage):
        # To Django's patterns one hash is like another; of these that is not known, so they are asked again.
        named = _References(storage, (), digests)
        for name, template in templates.items():
            original = b"".join(folder.read(name))
            if _refer(storage, name, paths[name][1], original.decode(), named).encode() != template.render(digests):
                raise UnusualError(f"{name} is rewritten in another way for another hash")
    hashed = {name: _hashed_name(name, md5) for name, md5 in digests.items()}
    final = set(hashed.values())
    superseded = frozenset(_hashed_name(name, md5) for name, md5 in passed if md5 != digests[name])
    # Where one file's hashed name is another's own name, the outcome depends on which of them is written last.
    if not (paths.keys() | references.outside).isdisjoint(final | superseded):
        raise UnusualError("a file, or a reference, of a hashed name")
    if folder.cleared and not references.outside <= paths.keys():
        raise UnusualError("a reference to what was to be removed before")
    return Plan(hashed, digests, templates, adjustable, superseded)


def _refer(storage: Any, name: str, path: str, content: str, references: _References) -> str:
    """``content`` with its references changed, by Django's own code, to what ``references`` gives for them."""
    from django.contrib.staticfiles.utils import matches_patterns

    for suffix, patterns in storage._patterns.items():
        if matches_patterns(path, (suffix,)):
            # Since Django 6.1 a pattern comes with what tells comments and strings.
            for pattern, template, *ignored in patterns:
                if pattern.pattern in _source_map_patterns() and _SOURCE_MAP not in content:
                    continue
                if pattern.search(content):
                    blocks = [storage.get_ignored_blocks(content, expression) for expression in ignored]
                    content = pattern.sub(storage.url_converter(name, references, template, *blocks), content)
    return content


def _has_djangos_patterns(storage: Any) -> bool:
    from django.contrib.staticfiles.storage import HashedFilesMixin

    django: Any = HashedFilesMixin
    known = (*django.patterns, django._js_module_import_aggregation_patterns)
    return all(pattern in known for pattern in storage.patterns)


@cache
def _source_map_patterns() -> frozenset[str]:
    """Those of Django's patterns that match nothing without `_SOURCE_MAP`, which most scripts do not hold."""
    from django.contrib.staticfiles.storage import HashedFilesMixin

    patterns = (pattern for _, patterns in HashedFilesMixin.patterns for pattern in patterns)
    texts = (pattern if isinstance(pattern, str) else pattern[0] for pattern in patterns)
    return frozenset(text for text in texts if f"(?-i:{_SOURCE_MAP})=(?P<url>" in text)


class _References:
    """In the place of the names hashed so far, which Django's `url_converter` looks references up in."""

    def __init__(self, storage: Any, adjustable: Container[str], copies: Mapping[str, str]) -> None:
        self.outside: set[str] = set()
        self._storage = storage
        self._adjustable = adjustable
        self._copies = copies
        self._tokens: dict[bytes, str] = {}
        self._others: dict[str, str] = {}

    def get(self, name: str) -> str:
        if name in self._adjustable:
            token = hashlib.md5(b"a reference to " + name.encode(), usedforsecurity=False).hexdigest()
            self._tokens[token[:_HASH_LENGTH].encode()] = name
            return _hashed_name(name, token)
        if name in self._copies:
            return _hashed_name(name, self._copies[name])
        if name not in self._others:
            # With a query, or a file that lies in the folder although no finder gives it, or a folder, or nothing.
            self._others[name] = self._storage.clean_name(self._storage.hashed_name(name))
            self.outside.add(urlsplit(unquote(name)).path.strip())
        return self._others[name]

    def take(self, original: bytes) -> dict[bytes, str]:
        """The tokens given out since the last call, for a file with the content ``original``."""
        tokens, self._tokens = self._tokens, {}
        if any(token in original for token in tokens):
            raise UnusualError("a token that is in the file already")
        return tokens


def _settle(digests: dict[str, str], templates: Mapping[str, Template], passes: int) -> set[tuple[str, str]]:
    """Go through the rounds in which Django finds the last names, the first and up to ``passes`` more.

    ``digests`` holds the MD5 of each file as it is, and of each as it will be afterwards. Returns those in between,
    with their names.
    """
    passed = set()
    seen: dict[str, list[str]] = {}
    for _ in range(passes + 1):
        changed = False
        for name, template in templates.items():
            referred = [digests[other] for other in template.references.values()]
            if seen.get(name) == referred:
                continue
            seen[name] = referred
            md5 = hashlib.md5(template.render(digests), usedforsecurity=False).hexdigest()
            if md5 != digests[name]:
                passed.add((name, digests[name]))
                digests[name] = md5
                changed = True
        if not changed:
            break
    else:
        raise UnusualError("a circle, or too long a chain, of references")
    return passed


def _hashed_name(name: str, md5: str) -> str:
    """`HashedFilesMixin.hashed_name` for a plain name; no two of these are given the same."""
    directory, base = os.path.split(name)
    root, suffix = os.path.splitext(base)  # noqa: PTH122 - pathlib splits otherwise
    return os.path.join(directory, f"{root}.{md5[:_HASH_LENGTH]}{suffix}")  # noqa: PTH118 - as above
