"""The template itself: parameters, versions, the function at the edge, and what SAM makes of a change."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from .expansion import FUNCTIONS, STACK, TEMPLATE, Stack, Tree, deployed, expand, source

DEFAULTS = {
    "SettingsModule": "mysite.settings_faas",
    "Interface": "wsgi",
    "FrontDoor": "http_api",
    "PythonVersion": "3.13",
    "Architecture": "arm64",
    "MemorySize": "1769",
    "SnapStart": "off",
    "ReservedConcurrency": "0",
    "DomainName": "",
    "CertificateArn": "",
    "AllowedHosts": "",
    "VpcSubnetIds": "",
    "VpcSecurityGroupIds": "",
    "LogRetentionDays": "30",
    "AlarmEmail": "",
    "SmokePath": "/",
    "EnvironmentVersion": "",
}


def _versions(expanded: Tree) -> set[str]:
    return {name for name, entry in expanded["Resources"].items() if entry["Type"] == "AWS::Lambda::Version"}


def test_a_person_can_read_it() -> None:
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 210
    assert max(map(len, lines)) <= 132


def test_every_parameter_has_a_default() -> None:
    assert {name: str(entry["Default"]) for name, entry in source()["Parameters"].items()} == DEFAULTS


def test_every_parameter_counts() -> None:
    text = TEMPLATE.read_text(encoding="utf-8").partition("\nConditions:")[2]
    unused = [name for name in DEFAULTS if not re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)]
    assert unused == []


def test_the_functions_environment() -> None:
    stack = deployed(Interface="asgi", SettingsModule="shop.settings_faas")
    assert stack.variables("Console") == {
        "DJANGO_SETTINGS_MODULE": "shop.settings_faas",
        "DJANGO_SECRET_KEY": "{{resolve:secretsmanager:<SecretKey>}}",
        "DJANGO_ALLOWED_HOSTS": ".cloudfront.net",
        "FAAS_INTERFACE": "asgi",
        "FAAS_ORIGIN_SECRET": "{{resolve:secretsmanager:<OriginSecret>}}",
        "FAAS_TRUSTED_PROXIES": 1,
        "FAAS_SECRETS_PATH": f"/{STACK}/",
        "FAAS_JOBS_QUEUE_URL": "<Jobs>",
        "FAAS_MEDIA_BUCKET": "<Bucket>",
        "FAAS_SITE_URL": "",
        "FAAS_ENVIRONMENT_VERSION": "",
        "FAAS_PRIME": "off",
    }
    assert deployed(SmokePath="/up/").variables("Migrate")["FAAS_SMOKE_PATH"] == "/up/"


def test_what_the_functions_run() -> None:
    stack = deployed(PythonVersion="3.12", Architecture="x86_64", MemorySize="512")
    for function in FUNCTIONS:
        found = stack[function]
        assert (found["Handler"], found["Runtime"], found["Architectures"], found["MemorySize"]) == (
            "adapter.entrypoint.handler",
            "python3.12",
            ["x86_64"],
            "512",
        )
        assert found["Code"] == {"S3Bucket": "artifacts", "S3Key": "function.zip"}
        assert found["LoggingConfig"]["LogFormat"] == "JSON"


def test_allowed_hosts_go_before_the_domain() -> None:
    assert deployed(DomainName="a.example.com", AllowedHosts="*").variables("Web")["DJANGO_ALLOWED_HOSTS"] == "*"


def test_new_code_makes_new_versions() -> None:
    assert _versions(expand(source())).isdisjoint(_versions(expand(source(), code="s3://artifacts/another.zip")))


def test_a_parameter_alone_makes_none() -> None:
    """As long as that is so, EnvironmentVersion has to change with the others, and says so."""
    assert _versions(expand(source(), {"MemorySize": "512"})) == _versions(expand(source()))
    assert "Change it with any parameter" in source()["Parameters"]["EnvironmentVersion"]["Description"]


def test_a_variable_of_the_template_makes_new_versions() -> None:
    tree = source()
    tree["Globals"]["Function"]["Environment"]["Variables"]["PAYMENTS"] = "live"
    assert _versions(expand(tree)).isdisjoint(_versions(expand(source())))


def test_another_definition_of_the_rest_api_is_deployed_anew() -> None:
    """A deployment is a copy of the API at one time, which a stage shows until it is given another."""

    def deployments(tree: Tree) -> set[str]:
        return set(Stack(expand(tree), {"FrontDoor": "rest_api"}).of("AWS::ApiGateway::Deployment"))

    changed = source()
    changed["Resources"]["RestApi"]["Properties"]["DefinitionBody"]["info"]["version"] = "2"
    assert len(deployments(source())) == 1
    assert deployments(source()).isdisjoint(deployments(changed))


def test_it_expands_the_same_from_json() -> None:
    """As which the deployer sends it."""
    from emulator.template.document import load

    assert expand(json.loads(json.dumps(load(TEMPLATE)))) == expand(source())


def test_yaml_that_cloudformation_reads() -> None:
    """It takes no anchors, aliases and merges, although every parser here does.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
    """
    import yaml

    events = list(yaml.parse(TEMPLATE.read_text(encoding="utf-8")))
    assert not any(getattr(event, "anchor", None) for event in events)


def test_the_longest_name_of_a_stack() -> None:
    """docs/infrastructure.md names it; the prefix of the hook takes most."""
    stack = deployed()
    longest = max(len(stack[function]["FunctionName"]) for function in FUNCTIONS)
    assert 64 - (longest - len(STACK)) == 49


@pytest.mark.skipif(shutil.which("node") is None, reason="the edge's language is JavaScript, which node runs")
@pytest.mark.parametrize("headers", [{}, {"x-forwarded-host": {"value": "bank.example.com"}}])
def test_the_function_at_the_edge(headers: dict[str, dict[str, str]]) -> None:
    code = Stack(expand(source()))["CopyHost"]["FunctionCode"]
    request = {"uri": "/admin/", "headers": {"host": {"value": "www.example.com"}, **headers}}
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps({'request': request})})))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    host = {"value": "www.example.com"}
    assert json.loads(done.stdout) == {"uri": "/admin/", "headers": {"host": host, "x-forwarded-host": host}}
