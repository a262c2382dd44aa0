"""The commands and their options, told once: the command line, the environment and the setting are all read by this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Sequence

DESTINATION_HELP = (
    "Where to: s3://BUCKET/PREFIX (gs:// for Google Cloud Storage). The prefix is the path of STATIC_URL, as in "
    "s3://my-site/static. May be left out where it is configured."
)
CONFIGURATION_HELP = """\
Configuration: what the command line does not say is taken from the environment (STATIC_SYNC_DESTINATION,
STATIC_SYNC_CACHE_CONTROL, ...), then from the setting STATIC_SYNC = {"destination": ..., "cache_control": ...} of the
project. On the command line and in the environment `none` leaves out what the setting has."""
PATTERNS_HELP = """\
Patterns (GLOB) are read as .gitignore reads them: *.html at any depth, /sw.js at the top, assets/* and all below."""
EXIT_CODES = "Exit code: 0 done, or nothing to do; 1 something failed; 2 an option makes no sense."
CHANGED_CODE = "With --exit-code: 0 nothing to do; 3 something was done, or with --dry-run would be."

Group = Literal["What", "Where", "How", "Output"]
Kind = Literal["switch", "text", "number", "path", "list", "rules"]
Level = Literal["command line", "environment", "setting"]


# At each start a dataclass costs ten times what a named tuple does: two milliseconds for these fields.
class Option(NamedTuple):
    """One option, and how far from the command line it may be configured: ``level`` is the farthest place.

    ``kind`` says what its value is: a ``list`` is separated by commas, ``rules`` are GLOB=VALUE pairs. ``parameter`` is
    the keyword of the command's function where that is not the flag's own name. ``default`` is for the reader; the one
    that holds is the function's.
    """

    flag: str
    group: Group
    help: str
    kind: Kind = "text"
    metavar: str | None = None
    level: Level = "setting"
    parameter: str = ""
    short: str = ""
    choices: tuple[str, ...] = ()
    smallest: int = 0
    largest: int | None = None
    default: int | None = None

    @property
    def key(self) -> str:
        """Its name in the setting."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"STATIC_SYNC_{self.key.upper()}"

    @property
    def name(self) -> str:
        """Its name where it is handed to a function."""
        return self.parameter or self.key


class Command(NamedTuple):
    """One command. ``module`` has the function of its name; with ``of_project`` that takes the project's files."""

    name: str
    module: str
    summary: str
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...]
    of_project: bool = False

    @property
    def words(self) -> str:
        """How it is called."""
        return "static-sync" if self is SYNC else f"static-sync {self.name}"


DESTINATION = Option("destination", "Where", DESTINATION_HELP, metavar="s3://BUCKET/PREFIX")
_SOURCE = Option(
    "--source",
    "What",
    "This folder as it stands, instead of the project's static files; needs no Django.",
    "path",
    "DIR",
    "environment",
)
SETTINGS = Option(
    "--settings",
    "What",
    "The project's settings; by default what DJANGO_SETTINGS_MODULE or manage.py says.",
    metavar="MODULE",
    level="command line",
)
_HASHED = Option(
    "--hashed", "What", "Names that another tool has hashed (webpack, vite): kept for ever. Repeatable.", "list", "GLOB"
)
_IGNORE = Option("--ignore", "What", "With --source: leave these out too. Repeatable.", "list", "GLOB", "environment")
_FOLLOW_LINKS = Option(
    "--follow-links", "What", "With --source: follow links out of the folder, too.", "switch", level="environment"
)
_ONLY_HASHED = Option(
    "--only-hashed",
    "What",
    "Hashed names only: the first half of a deploy, before the new version serves; the rest once it does.",
    "switch",
    level="command line",
)
_MANIFEST = Option(
    "--manifest",
    "What",
    "The manifest in the function's package; by default the one that the project's storage reads.",
    "path",
    "FILE",
    "environment",
)
_ENDPOINT_URL = Option(
    "--endpoint-url", "Where", "A service other than AWS. [else: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL]", metavar="URL"
)
_REGION = Option("--region", "Where", "The bucket's region. [else: AWS_REGION, AWS_DEFAULT_REGION]", metavar="REGION")
_ENCRYPTION = Option(
    "--encryption",
    "Where",
    "Server-side encryption: AES256 or aws:kms; by default what the bucket does.",
    metavar="KIND",
    choices=("AES256", "aws:kms"),
)
_KMS_KEY = Option("--kms-key", "Where", "The key for aws:kms; by default the account's own.", metavar="KEY")
_CACHE_CONTROL = Option(
    "--cache-control",
    "How",
    "The Cache-Control header of these names; the first rule that matches holds. Repeatable.",
    "rules",
    "GLOB=VALUE",
)
_COMPRESS = Option(
    "--compress",
    "How",
    "Put compressed variants beside the files: br, gzip, zstd, separated by commas.",
    "list",
    "LIST",
    choices=("br", "gzip", "zstd"),
)
_DISTRIBUTION = Option(
    "--distribution", "How", "Tell this CloudFront distribution what has changed under its old name.", metavar="ID"
)
_CACHE_TAG = Option(
    "--cache-tag", "How", "Tag files that are not hashed, and invalidate them by the tag, not by paths.", metavar="TAG"
)
_WAIT = Option("--wait", "How", "Wait until the CDN has forgotten.", "switch")
_WORKERS = Option(
    "--workers", "How", "Most requests at a time, 1 to 256.", "number", "N", smallest=1, largest=256, default=128
)
_KEEP_RELEASES = Option(
    "--keep-releases", "What", "Keep all that the newest N releases need.", "number", "N", smallest=1, default=3
)
_GRACE_DAYS = Option(
    "--grace-days", "What", "Keep what a release of the last N days needed.", "number", "N", default=14
)
_MAX_DELETE = Option(
    "--max-delete",
    "What",
    "Delete nothing if it would be more than N objects; by default half of all, or 100.",
    "number",
    "N",
)
_TO = Option(
    "--to",
    "What",
    "The number of the release, as `releases` lists them; by default the one before the current.",
    "number",
    "N",
    "command line",
    smallest=1,
)
_DRY_RUN = Option(
    "--dry-run", "Output", "Change nothing in the bucket; print what would be done.", "switch", level="command line"
)
_JSON = Option(
    "--json",
    "Output",
    "Print one JSON object, also when something fails.",
    "switch",
    level="command line",
    parameter="as_json",
)
_QUIET = Option("--quiet", "Output", "Print errors and nothing else.", "switch", level="command line", short="-q")
_EXIT_CODE = Option(
    "--exit-code", "Output", "Tell by the exit code whether there was anything to do.", "switch", level="command line"
)

_STORE = (_ENDPOINT_URL, _REGION)
_OUTPUT = (_JSON, _QUIET)
_CHANGING = (_DRY_RUN, *_OUTPUT, _EXIT_CODE)

SYNC = Command(
    "sync",
    "static_sync.job",
    "Push static files to a bucket: what is missing or changed there, and nothing else.",
    (
        *(_SOURCE, SETTINGS, _HASHED, _IGNORE, _FOLLOW_LINKS, _ONLY_HASHED),
        *(*_STORE, _ENCRYPTION, _KMS_KEY),
        *(_CACHE_CONTROL, _COMPRESS, _DISTRIBUTION, _CACHE_TAG, _WAIT, _WORKERS),
        *_CHANGING,
    ),
    (
        ("static-sync s3://my-site/static", "collect the project's static files and push them"),
        ("static-sync s3://my-site/static --dry-run", "show what would be uploaded, with its headers"),
        ("static-sync s3://my-site/static --source dist --hashed 'assets/*'", "push what vite has built"),
        ("static-sync s3://my-site/static --cache-control '*.html=no-cache'", "a header by pattern"),
        ("static-sync s3://my-site/static --distribution E2EXAMPLE --wait", "and tell CloudFront"),
        ("static-sync s3://my-site/static --endpoint-url http://127.0.0.1:9000", "push to MinIO, R2, moto, ..."),
    ),
    of_project=True,
)
PRUNE = Command(
    "prune",
    "static_sync.retirement",
    "Delete what only old releases need: never anything that static-sync did not put there.",
    (_KEEP_RELEASES, _GRACE_DAYS, _MAX_DELETE, SETTINGS, *_STORE, *_CHANGING),
    (
        ("static-sync prune s3://my-site/static --dry-run", "show what would go"),
        ("static-sync prune s3://my-site/static --keep-releases 10 --grace-days 30", "keep more than by default"),
    ),
)
RELEASES = Command(
    "releases",
    "static_sync.published",
    "List the releases in the bucket.",
    (SETTINGS, *_STORE, *_OUTPUT),
    (("static-sync releases s3://my-site/static", "what there is to roll back to"),),
)
ROLLBACK = Command(
    "rollback",
    "static_sync.published",
    "Make an earlier release the current one: its hashed files are still in the bucket, so nothing is uploaded.",
    (_TO, SETTINGS, *_STORE, *_CHANGING),
    (
        ("static-sync rollback s3://my-site/static", "to the release before the current one"),
        ("static-sync rollback s3://my-site/static --to 41", "to a certain one"),
    ),
)
CHECK = Command(
    "check",
    "static_sync.published",
    "See whether every hashed file that a manifest names is in the bucket.",
    (_MANIFEST, SETTINGS, *_STORE, *_OUTPUT),
    (
        ("static-sync check s3://my-site/static", "the project's own manifest"),
        ("static-sync check s3://my-site/static --manifest build/staticfiles.json", "that of a package"),
    ),
    of_project=True,
)
COMMANDS = {command.name: command for command in (SYNC, PRUNE, RELEASES, ROLLBACK, CHECK)}


def choose(arguments: Sequence[str]) -> tuple[Command, list[str]]:
    """The command that ``arguments`` begin with, `SYNC` where they begin with none, and the rest of them.

    No destination is taken for a command: each has ``://``.
    """
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]], list(arguments[1:])
    return SYNC, list(arguments)


def add_arguments(parser: ArgumentParser, command: Command, *, without: tuple[Option, ...] = ()) -> None:
    """Let ``parser`` take what ``command`` takes; what is not given is None, values are texts or lists of texts."""
    groups = {title: parser.add_argument_group(title) for title in ("What", "Where", "How", "Output")}
    groups["Where"].add_argument(DESTINATION.name, metavar=DESTINATION.metavar, nargs="?", help=DESTINATION.help)
    for option in command.options:
        if option in without:
            continue
        flags = (option.short, option.flag) if option.short else (option.flag,)
        told = option.help if option.default is None else f"{option.help} [default: {option.default}]"
        if option.kind == "switch":
            groups[option.group].add_argument(*flags, dest=option.name, action="store_const", const=True, help=told)
        else:
            action = "append" if option.kind in ("list", "rules") else "store"
            groups[option.group].add_argument(
                *flags, dest=option.name, action=action, metavar=option.metavar, help=told
            )
    if not parser.add_help:
        groups["Output"].add_argument("-h", "--help", action="help", help="Print this.")


def epilog(command: Command, called: str = "static-sync") -> str:
    """What comes after the options in the help: examples, commands, configuration, exit codes."""
    parts = [
        "Examples:\n"
        + "\n".join(
            f"  {example.replace('static-sync', called, 1)}\n      {purpose}" for example, purpose in command.examples
        )
    ]
    if command is SYNC:
        others = [other for other in COMMANDS.values() if other is not SYNC]
        parts.append(
            f"Other commands, each with a --help of its own ({called} COMMAND --help):\n"
            + "\n".join(f"  {other.name:<10}{other.summary}" for other in others)
        )
        parts.append(PATTERNS_HELP)
    parts.append(CONFIGURATION_HELP)
    parts.append(f"{EXIT_CODES}\n{CHANGED_CODE}" if _EXIT_CODE in command.options else EXIT_CODES)
    return "\n\n".join(parts)


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """The end of a sentence that names what is most like ``text`` among ``known``; empty where nothing is."""
    from difflib import get_close_matches

    close = get_close_matches(text, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""
