"""Which of the project's files stay out of the package: those that never belong there, and what ``.faasignore`` says.

Its lines are patterns as ``.gitignore`` has them, save that none can take another one back (``!``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from static_sync.exceptions import UsageError
from static_sync.patterns import matcher

from ..exceptions import ConfigurationError

FILE = ".faasignore"
# Secrets, other machines' code, histories and caches: nobody means to have them on a function.
_ALWAYS = (
    *(".env", ".env.*", ".git", ".hg", ".svn", ".faas", FILE, "node_modules", "__pycache__", "*.pyc", "*.pyo"),
    ".DS_Store",
)
DEFAULTS = """\
# What stays out of the function's package. Patterns as in .gitignore, without "!". Always left out, whatever is said
# here: .env files, version control, virtual environments, node_modules, bytecode, STATIC_ROOT and MEDIA_ROOT.

# hidden files, backups and logs
.*
*~
*.log

# databases: the function's file system is read-only, and each function has its own copy
*.sqlite3
*.sqlite3-*
*.db

# of no use in production
tests
conftest.py

# what builds and deploys the project
/dist
/dist-*
/faas.toml
/template.yaml
/pyproject.toml
/uv.lock
/requirements*
Dockerfile*
docker-compose*
compose.y*ml
Makefile
"""


def reader(folder: Path) -> Callable[[str], bool]:
    """Tells whether a path, relative to the project in ``folder`` and with ``/``, stays out.

    `DEFAULTS` hold where there is no ``.faasignore``. Raises `ConfigurationError` that names its line.
    """
    path = folder / FILE
    patterns = list(_ALWAYS)
    text = path.read_text(encoding="utf-8") if path.is_file() else DEFAULTS
    for number, line in enumerate(text.splitlines(), 1):
        pattern = line.rstrip()
        if not pattern or pattern.startswith("#"):
            continue
        try:
            matcher([pattern])
        except UsageError as error:
            raise ConfigurationError(f"{FILE}, line {number}: {error}") from None
        patterns.append(pattern)
    return matcher(patterns)
