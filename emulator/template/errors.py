"""What a template can be wrong about, and where: file, line and the keys that lead there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..exceptions import EmulatorError


class TemplateError(EmulatorError):
    """The template can't be read, or says something that makes no sense; names the line, the key and what to write."""


@dataclass(frozen=True)
class Place:
    """Where something stands; ``line`` counts from 1."""

    file: str
    line: int = 1
    keys: tuple[str, ...] = ()

    def below(self, key: str, line: int | None = None) -> Place:
        return replace(self, keys=(*self.keys, key), line=line or self.line)

    def error(self, message: str) -> TemplateError:
        return TemplateError(f"{self.file}, line {self.line}: {'.'.join(self.keys) or 'the template'}: {message}")
