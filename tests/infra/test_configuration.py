from __future__ import annotations

from pathlib import Path

import pytest

from infra.configuration import Configuration, Stage, load
from infra.exceptions import ConfigurationError


def written(folder: Path, text: str) -> Configuration:
    (folder / "faas.toml").write_text(text, encoding="utf-8")
    return load(folder)


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    folder = tmp_path / "My Shop_2"
    folder.mkdir()
    configuration = load(folder)
    assert configuration == Configuration(folder.resolve(), "my-shop-2")
    assert configuration.stage("production") == Stage("production", "my-shop-2-production")


def test_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/site.yaml").touch()
    configuration = written(
        tmp_path,
        """
        name = "shop"
        settings = "shop.settings_faas"
        interface = "asgi"
        python = "3.12"
        architecture = "x86_64"
        requirements = "uv.lock"
        template = "deploy/site.yaml"
        [stages.production]
        region = "eu-central-1"
        profile = "shop"
        stack = "the-shop"
        [stages.production.parameters]
        DomainName = "shop.example"
        MemorySize = 1024
        SnapStart = true
        [stages.production.variables]
        GREETING = "Grüß Gott"
        [stages.staging]
        """,
    )
    assert (configuration.name, configuration.settings, configuration.interface) == (
        "shop",
        "shop.settings_faas",
        "asgi",
    )
    assert (configuration.python, configuration.architecture) == ("3.12", "x86_64")
    assert configuration.requirements == tmp_path.resolve() / "uv.lock"
    assert configuration.template == tmp_path.resolve() / "deploy/site.yaml"
    assert configuration.stage("production") == Stage(
        "production",
        "the-shop",
        "eu-central-1",
        "shop",
        {"DomainName": "shop.example", "MemorySize": "1024", "SnapStart": "true"},
        {"GREETING": "Grüß Gott"},
    )
    assert configuration.stage("staging").stack == "shop-staging"
    assert configuration.stage("review-7").stack == "shop-review-7"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('name = "shop', "faas.toml can't be read"),
        ("name = 7", "name in faas.toml is 7; it has to be a text in quotes"),
        ('name = "Shop"', "name in faas.toml is 'Shop'; it names AWS resources"),
        ('python = "3.9"', "python in faas.toml is '3.9'; it can be 3.11, 3.12, 3.13, 3.14"),
        ('architecture = "arm"', "it can be arm64, x86_64"),
        ('interface = "http"', "it can be wsgi, asgi"),
        ('regoin = "eu-central-1"', "faas.toml has regoin, which nothing reads. Known: "),
        ('requirements = "uv.lock"', "faas.toml names uv.lock, but there is no file"),
        ("stages = 3", "stages in faas.toml is 3; it has to be a table"),
        ("[stages]\nproduction = 3", "[stages.production] in faas.toml has to be a table"),
        ("[stages.Prod]", "is 'Prod'; it names AWS resources"),
        ('[stages.production]\nregions = "x"', "[stages.production] in faas.toml has regions, which nothing reads"),
        ("[stages.production.parameters]\nA = [1]", "parameters.A in [stages.production] in faas.toml is [1]"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        written(tmp_path, f'name = "shop"\n{text}' if "name" not in text.partition("=")[0] else text)
    assert told in str(raised.value)


def test_a_folder_or_stage_that_can_name_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    folder.mkdir()
    with pytest.raises(ConfigurationError, match=r"The folder's name.*is '42'.*name = \"shop\" in faas.toml"):
        load(folder)
    with pytest.raises(ConfigurationError, match="The stage is 'A B'"):
        written(tmp_path, 'name = "shop"').stage("A B")
    assert len(written(tmp_path, f'name = "{"s" * 32}"').stage("q" * 16).stack) == 49
    with pytest.raises(ConfigurationError, match=r"which has 50 letters.*49 are left"):
        written(tmp_path, f'name = "{"s" * 32}"').stage("q" * 17)
