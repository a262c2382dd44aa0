"""Nothing that is secret gets out of a deploy: not to the terminal, nor into what it uploads, nor the process list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Site

PLANTED = {
    "DATABASE_URL": "postgres://shop:planted-password@db.example.com/shop",
    "API_KEY": "planted-api-key",
    "FAAS_ORIGIN_SECRET": "planted-origin-secret",
}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc here")
def test_planted_secrets_are_found_nowhere(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLANTED.items():
        site.aws.client("ssm").put_parameter(Name=f"/shop-production/{name}", Value=value, Type="SecureString")
    # As a check might that tells what it has found.
    found = f"{PLANTED['DATABASE_URL']}, {PLANTED['API_KEY']}"
    monkeypatch.setenv("CHECK_SAYS", f"WARNINGS:\n?: (shop.W001) connected to {found}")
    outputs = [site.deploy("first").output]
    assert "connected to ***, ***" in outputs[0]
    site.aws.cloudformation.migration = ["a migration failed"]
    outputs.append(site.deploy("second").output)
    site.aws.cloudformation.migration = None
    outputs.append(site.deploy("third").output)
    outputs.append(site.run("rollback").output)
    monkeypatch.setenv("CHECK_SAYS", f"ERRORS:\n?: {PLANTED['API_KEY']} is refused")
    outputs.append(site.deploy("fourth").output)
    assert "ERRORS:\n?: *** is refused" in outputs[-1]
    # The checks had the values, as the functions will; all processes there were at that time:
    checked = json.loads((site.folder / "checked.json").read_text())
    assert checked["environment"]["API_KEY"] == "planted-api-key"
    assert any("manage.py\0check\0--deploy" in command for command in checked["commands"])

    told = "\n".join(outputs + checked["commands"] + [repr(asked) for asked in site.aws.cloudformation.requests])
    store = site.aws.client("s3")
    for bucket in store.list_buckets()["Buckets"]:
        for entry in store.list_objects_v2(Bucket=bucket["Name"])["Contents"]:
            told += store.get_object(Bucket=bucket["Name"], Key=entry["Key"])["Body"].read().decode(errors="replace")
    for path in (site.folder / "dist").rglob("*.json"):
        told += path.read_text()
    assert "shop-production" in told
    assert "planted" not in told
