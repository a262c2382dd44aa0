"""The commands in the documents and in the samples for CI exist, with the options they are given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from infra.cli import _COMMANDS
from tests.docs.test_links import ROOT, pages

WORKFLOW = ROOT / "samples" / "ci" / "github-actions.yml"
ROLE = ROOT / "samples" / "ci" / "deploy-role.yaml"

# Priming calls itself by this name in the User-Agent header, which is no command.
_CALL = re.compile(r"django-faas (?!priming$)([a-z](?:(?!django-faas )[^`\n])*)")


def calls(text: str) -> Iterator[list[str]]:
    """What is said after ``django-faas`` in a document's code: the command, and what follows on its line."""
    code = re.findall(r"```.*?```|`[^`\n]+`", re.sub(r"\\\n\s*", " ", text), re.DOTALL)
    for part in code:
        for call in _CALL.findall(part.strip("`")):
            shell = shlex.shlex(call, posix=True, punctuation_chars=True)
            shell.whitespace_split = True
            yield list(takewhile(lambda word: not set(word) <= set("();<>|&"), shell))


def fault(words: list[str]) -> str | None:
    """What is wrong with a call of ``django-faas``, None if nothing is."""
    name, *arguments = words
    if name not in _COMMANDS:
        return f"there is no command {name}"
    module, _, attribute = _COMMANDS[name].partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    if isinstance(command, click.Group) and arguments:
        subcommand = command.commands.get(arguments[0])
        if subcommand is None:
            return f"there is no command {name} {arguments[0]}"
        command, arguments = subcommand, arguments[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= set(click.Context(command).help_option_names) | {"-h"}
    for argument in arguments:
        if argument.startswith("-") and argument != "-" and argument.partition("=")[0] not in known:
            return f"{command.name} has no option {argument}"
        # What follows a management command's name is its own.
        if name == "manage" and not argument.startswith("-"):
            return None
    return None


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists(page: Path) -> None:
    faults = [(words, fault(words)) for words in calls(page.read_text(encoding="utf-8"))]
    assert [f"django-faas {' '.join(words)}: {wrong}" for words, wrong in faults if wrong] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`django-faas fly`", "there is no command fly"),
        ("```console\n$ django-faas emulate --prot 80\n```", "emulate has no option --prot"),
        ("`django-faas emulate --port=80` and `django-faas`", None),
        ("`django-faas open; django-faas fly | tee --log`", "there is no command fly"),
        ("django-faas flies in plain text", None),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, expected: str | None) -> None:
    assert [wrong for words in calls(text) if (wrong := fault(words))] == ([expected] if expected else [])


def workflow() -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true, which GitHub does not.
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return loaded


def test_the_workflows_commands_exist() -> None:
    runs = [step["run"] for job in workflow()["jobs"].values() for step in job["steps"] if "run" in step]
    found = [words for run in runs for words in calls(f"```\n{run}\n```")]
    assert {words[0] for words in found} == {"build", "deploy", "open", "status"}
    assert [wrong for words in found if (wrong := fault(words))] == []


def test_the_workflow_hands_out_credentials_to_the_deploy_alone() -> None:
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {"contents": "read"}
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["deploy"]
    assert jobs["deploy"]["if"] == "github.event_name != 'pull_request'"
    assert jobs["deploy"]["concurrency"]["cancel-in-progress"] is False
    actions = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d[\d.]*", action) for action in actions)


def test_the_role_is_a_sound_template() -> None:
    api = pytest.importorskip("cfnlint.api")
    assert api.lint(ROLE.read_text(encoding="utf-8"), None) == []
