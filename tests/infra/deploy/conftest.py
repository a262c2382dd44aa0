"""A project with a package, ready to be deployed, and an account to deploy it to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader, create_loader
from click.testing import CliRunner, Result

from infra import stacks
from infra.build import Package, StaticFiles, Zip
from infra.deploy import cli, smoke
from tests.infra.aws import Aws, Server, aws, aws_account, package  # noqa: F401 - fixtures
from tests.infra.functions import Lambda

# Checks nothing, in a tenth of the time that Django takes to; `test_checks` has Django do it.
MANAGE = """
import json, os, pathlib, sys
commands = [path.read_bytes().decode() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
with open("checked.json", "w") as file:
    json.dump({"commands": commands, "environment": dict(os.environ)}, file)
said = os.environ.get("CHECK_SAYS", "System check identified no issues.")
print(said, file=sys.stderr)
sys.exit("ERRORS:" in said)
"""
# What the commands need of a template, and no more, as most tests are about what comes after it is read.
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  SettingsModule: {Type: String, Default: shop.settings}
  Interface: {Type: String, Default: wsgi}
  PythonVersion: {Type: String, Default: "3.13"}
  Architecture: {Type: String, Default: arm64}
  MemorySize: {Type: Number, Default: 1769}
  SmokePath: {Type: String, Default: /}
  Token: {Type: String, Default: "", NoEcho: true}
  EnvironmentVersion: {Type: String, Default: ""}
Globals:
  Function:
    CodeUri: dist/function.zip
    Handler: adapter.entrypoint.handler
    Runtime: !Sub python${PythonVersion}
    AutoPublishAlias: live
    Environment:
      Variables: {DJANGO_SETTINGS_MODULE: !Ref SettingsModule, FAAS_INTERFACE: !Ref Interface}
Resources:
  Web: {Type: AWS::Serverless::Function}
  Worker: {Type: AWS::Serverless::Function}
  Console: {Type: AWS::Serverless::Function}
  Migrate: {Type: AWS::Serverless::Function}
  Bucket: {Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate}
  Jobs: {Type: AWS::SQS::Queue}
  DeadJobs: {Type: AWS::SQS::Queue}
  SecretKey: {Type: AWS::SecretsManager::Secret}
  Cdn: {Type: AWS::CloudFront::Distribution}
Outputs:
  SiteUrl: {Value: !Sub "https://${Cdn.DomainName}"}
  DistributionId: {Value: !Ref Cdn}
  StaticBucket: {Value: !Ref Bucket}
  WebFunction: {Value: !Ref Web}
  ConsoleFunction: {Value: !Ref Console}
  MigrateFunction: {Value: !Ref Migrate}
"""
_COMMANDS = {"deploy": cli.deploy, "rollback": cli.rollback, "destroy": cli.destroy}
Run = Callable[..., Result]


class Console:
    """What the console function answers: ``output`` and ``exit``; ``calls`` are in the `Lambda` around it."""

    def __init__(self) -> None:
        self.exit = 0
        self.output = "  Applying sessions.0001_initial... OK\n"

    def call(self, event: Any, request_id: str) -> tuple[dict[str, Any], str]:
        return {"answer": {"exit": self.exit, "output": self.output}}, ""


class Site:
    """The project ``shop`` and where it is deployed to."""

    def __init__(self, folder: Path, account: Aws, functions: Lambda, console: Console) -> None:
        self.folder = folder
        self.aws = account
        self.functions = functions
        self.console = console

    def build(self, code: str, styles: str = "body {}") -> Package:
        """What `django-faas build` would leave of a project with that code and that stylesheet."""
        dist = self.folder / "dist"
        static = dist / "static"
        static.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(styles.encode()).hexdigest()[:12]
        (static / "site.css").write_text(styles)
        (static / f"site.{digest}.css").write_text(styles)
        (static / "staticfiles.json").write_text(
            json.dumps({"paths": {"site.css": f"site.{digest}.css"}, "version": "1.1"})
        )
        data = package(code)
        (dist / "function.zip").write_bytes(data)
        made = Package(
            dist,
            "shop",
            Zip(dist / "function.zip", hashlib.sha256(data).hexdigest(), len(data), len(data)),
            "3.13",
            "arm64",
            "adapter.entrypoint.handler",
            "shop.settings_faas",
            "wsgi",
            StaticFiles(static, static / "staticfiles.json", 3),
            (),
        )
        made.write()
        return made

    def configure(self, text: str) -> None:
        """Write ``faas.toml``."""
        (self.folder / "faas.toml").write_text(text)

    def run(self, command: str, *arguments: str, **options: Any) -> Result:
        """Run a command of `django-faas` there, in this process; the output has both streams."""
        return CliRunner().invoke(_COMMANDS[command], arguments, prog_name=f"django-faas {command}", **options)

    def deploy(self, code: str, styles: str = "body {}", *arguments: str) -> Result:
        """Build and deploy."""
        self.build(code, styles)
        return self.run("deploy", "--no-build", "--yes", *arguments)

    def serves(self) -> dict[str, str]:
        """The version of each function that gets the traffic."""
        names = ("web", "worker", "console")
        found = {name: self.aws.alias(f"shop-production-{name}") for name in names}
        return {**found, "migrate": self.aws.alias("CodeDeployHook_shop-production")}

    @property
    def objects(self) -> set[str]:
        """The names below ``static/`` in the site's bucket, without release records."""
        listed = self.aws.client("s3").list_objects_v2(Bucket=self.aws.site.bucket, Prefix="static/")
        names = {entry["Key"].removeprefix("static/") for entry in listed.get("Contents", ())}
        return {name for name in names if not name.startswith(".")}


@pytest.fixture(scope="session")
def models() -> Loader:
    """boto3's models of the services, which each of its sessions would read anew."""
    return create_loader()


@pytest.fixture
def site(
    aws: Aws,  # noqa: F811
    models: Loader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """The project, in a new account; nobody waits for anything."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "manage.py").write_text(MANAGE)
    (folder / "template.yaml").write_text(TEMPLATE)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("botocore.session.create_loader", lambda _path=None: models)
    monkeypatch.setattr(stacks, "_EVERY", 0)
    monkeypatch.setattr(smoke, "_PAUSES", (0.0, 0.0, 0.0))
    console = Console()
    functions = Lambda(aws, console)  # type: ignore[arg-type]
    server = Server(functions)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
    yield Site(folder, aws, functions, console)
    server.stop()
