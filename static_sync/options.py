"""The options, told once: the click command and the management command are both made of this table."""

from __future__ import annotations

from dataclasses import dataclass

SUMMARY = "Push static files to a bucket: what is missing or changed there, and nothing else."
DESTINATION_HELP = "Where to: s3://BUCKET/PREFIX. The prefix is the path of STATIC_URL, as in s3://my-site/static."
EXAMPLES = (
    ("static-sync s3://my-site/static", "collect the project's static files and push them"),
    ("static-sync s3://my-site/static --dry-run", "show what would be uploaded, with its headers"),
    ("static-sync s3://my-site/static --source dist", "push a folder as it stands"),
    ("static-sync s3://my-site/static --endpoint-url http://127.0.0.1:9000", "push to MinIO, R2, moto, ..."),
)
EXIT_CODES = "Exit code: 0 when the bucket has every file, 1 when something failed, 2 when an option is wrong."


@dataclass(frozen=True, slots=True)
class Option:
    """``flag`` on the command line; ``parameter`` of `sync` or of the command; ``metavar`` None for a switch."""

    flag: str
    parameter: str
    help: str
    metavar: str | None = None
    is_number: bool = False


OPTIONS = (
    Option("--source", "source", "Push this folder instead of collecting the project's static files.", "DIR"),
    Option("--endpoint-url", "endpoint_url", "A service other than AWS. [env: AWS_ENDPOINT_URL_S3]", "URL"),
    Option("--region", "region", "The bucket's region. [env: AWS_REGION, AWS_DEFAULT_REGION]", "REGION"),
    Option("--workers", "workers", "Uploads at a time, from 1 to 256. [default: 32]", "N", is_number=True),
    Option("--dry-run", "dry_run", "Upload nothing; print what would be. The project's files are still collected."),
    Option("--json", "as_json", "Print one JSON object, also when something fails."),
)
# Django's own commands have --settings already.
SETTINGS_OPTION = Option(
    "--settings",
    "settings",
    "The project's settings; by default what DJANGO_SETTINGS_MODULE or manage.py says.",
    "MODULE",
)
