"""A template's text: CloudFormation's tags, JSON, lines, and what is no template."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.template.document import Map, load
from emulator.template.errors import TemplateError


def tree(tmp_path: Path, text: str) -> Map:
    path = tmp_path / "template.yaml"
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("!Ref Web", {"Ref": "Web"}),
        ("!Condition IsBig", {"Condition": "IsBig"}),
        ("!GetAtt Web.Arn", {"Fn::GetAtt": ["Web", "Arn"]}),
        ("!GetAtt Nested.Outputs.Url", {"Fn::GetAtt": ["Nested", "Outputs.Url"]}),
        ("!GetAtt [Web, Arn]", {"Fn::GetAtt": ["Web", "Arn"]}),
        ("!Sub 'a-${B}'", {"Fn::Sub": "a-${B}"}),
        ("!Join [',', [a, !Ref B]]", {"Fn::Join": [",", ["a", {"Ref": "B"}]]}),
        ("!If [A, {b: 1}, !Ref AWS::NoValue]", {"Fn::If": ["A", {"b": 1}, {"Ref": "AWS::NoValue"}]}),
        ("2012-10-17", "2012-10-17"),
        ("'2012-10-17'", "2012-10-17"),
        ("yes", True),
        ("0x10", 16),
        ("08", "08"),
        ("1.0", 1.0),
        ("~", None),
        ("!!binary aGk=", "aGk="),
    ],
)
def test_values(tmp_path: Path, text: str, meant: object) -> None:
    assert tree(tmp_path, f"key: {text}")["key"] == meant


def test_a_template_in_json_with_tabs(tmp_path: Path) -> None:
    text = '{\n\t"Resources": {\n\t\t"Web": {"Fn::GetAtt": ["A", "Arn"], "path": "a\\/b\\u00e9"}\n\t}\n}\n'
    read = tree(tmp_path, text)
    assert read == {"Resources": {"Web": {"Fn::GetAtt": ["A", "Arn"], "path": "a/bé"}}}
    assert read["Resources"].lines == {"Web": 3}


def test_anchors_and_merges(tmp_path: Path) -> None:
    read = tree(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: *a}\nd: *a\n")
    assert read == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}, "d": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\nb: 2\n", "template.yaml, line [23]: the template: no YAML"),
        ("a:\n\tb: 1\n", "line 2: the template: no YAML"),
        ("a:\n  b: 1\n  b: 2\n", "line 3: the template: b stands here and in line 2"),
        ("- a\n", "a mapping with a key Resources"),
        ("", "a mapping with a key Resources"),
        ("a: \x07", "no YAML"),
        ("a: &a {b: *a}", "nested too deeply; does an anchor hold itself"),
    ],
)
def test_what_is_no_template(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        tree(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"can't be read.*--template"):
        load(tmp_path / "missing.yaml")
