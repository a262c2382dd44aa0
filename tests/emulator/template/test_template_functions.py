"""The template's functions, and what can't run here."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.blueprint import Function
from emulator.template import TemplateError, read_template

from .conftest import Read


def test_a_function_with_what_lambda_gives_it_by_default(resources: Read) -> None:
    assert resources("").functions == {"Web": Function("Web", "adapter.entrypoint.handler", {}, 3, 128)}


def test_a_function_as_it_is_written(read: Read) -> None:
    blueprint = read(
        """
        Resources:
          Web:
            Type: AWS::Lambda::Function
            Properties:
              FunctionName: !Sub "${AWS::StackName}-web"
              Handler: site.handler
              Runtime: python3.14
              Code: {S3Bucket: b, S3Key: k}
              Timeout: 28
              MemorySize: 1769
              ReservedConcurrentExecutions: 0
              SnapStart: {ApplyOn: PublishedVersions}
        """
    )
    assert blueprint.functions == {
        "django-faas-web": Function("django-faas-web", "site.handler", {}, 28, 1769, concurrency=0, snapstart=True)
    }


@pytest.mark.parametrize(
    ("properties", "why"),
    [
        ("{Runtime: nodejs22.x, Handler: index.handler}", "its runtime is nodejs22.x"),
        ("{Runtime: python3.13, Handler: index.handler, InlineCode: 'x = 1'}", "its code is in the template"),
    ],
)
def test_what_can_not_run_here_is_left_out_with_what_leads_to_it(resources: Read, properties: str, why: str) -> None:
    blueprint = resources(
        f"""
  Other:
    Type: AWS::Serverless::Function
    Properties: {properties[:-1]}, FunctionUrlConfig: {{AuthType: NONE}}}}
"""
    )
    assert list(blueprint.functions) == ["Web"]
    assert blueprint.doors == ()
    assert blueprint.notes == (f"Other is left out, with all that leads to it: {why}",)


def test_an_image(resources: Read) -> None:
    blueprint = resources(
        """
  Named: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageConfig: {Command: [site.handler]}}}
  Plain: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}}
"""
    )
    assert blueprint.functions["Named"].handler == "site.handler"
    assert blueprint.functions["Plain"].handler == "adapter.entrypoint.handler"
    assert any("Plain is an image whose CMD is not in the template" in note for note in blueprint.notes)


def test_code_apart_from_the_project_is_noted(tmp_path: Path) -> None:
    (tmp_path / "authorizer").mkdir()
    (tmp_path / "manage.py").touch()
    path = tmp_path / "template.yaml"
    path.write_text(
        """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13}}
Resources:
  Web: {Type: AWS::Serverless::Function, Properties: {CodeUri: ., Handler: site.handler}}
  Zip: {Type: AWS::Serverless::Function, Properties: {CodeUri: dist/function.zip, Handler: site.handler}}
  Authorizer: {Type: AWS::Serverless::Function, Properties: {CodeUri: authorizer/, Handler: app.handler}}
"""
    )
    blueprint = read_template(path, {}, region="us-east-1")
    assert list(blueprint.functions) == ["Web", "Zip", "Authorizer"]
    (note,) = blueprint.notes
    assert note.startswith("Authorizer has its code in authorizer/, apart from the project: app.handler")


def test_a_function_without_a_handler(resources: Read) -> None:
    with pytest.raises(TemplateError, match=r"Resources.Bare.Properties: Handler is missing"):
        resources("  Bare: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13}}")


def test_types_that_are_not_emulated_are_noted_once(resources: Read) -> None:
    blueprint = resources(
        """
  One: {Type: AWS::DynamoDB::Table}
  Two: {Type: AWS::DynamoDB::Table}
  Off: {Type: AWS::SNS::Topic, Condition: Never}
  Role: {Type: AWS::IAM::Role}
  Copy: {Type: AWS::CloudFront::Function}
Conditions:
  Never: !Equals [a, b]
"""
    )
    assert blueprint.notes == (
        "AWS::DynamoDB::Table is not emulated: One, Two",
        (
            "AWS::CloudFront::Function is not emulated: Copy (the CDN here puts the viewer's Host into "
            "X-Forwarded-Host by itself)"
        ),
    )


def test_a_resource_without_a_type(read: Read) -> None:
    with pytest.raises(TemplateError, match=r"line 2: Resources.Web: a resource is a mapping with a Type"):
        read("Resources: {Web: {Properties: {}}}")


def test_a_template_without_resources(read: Read) -> None:
    with pytest.raises(TemplateError, match="a template has Resources, and this one has none"):
        read("Parameters: {}")


@pytest.mark.parametrize("key", ["Events", "FunctionUrlConfig"])
def test_where_sam_carries_no_function_out(read: Read, key: str) -> None:
    """SAM makes a URL without AuthType of it, on every condition, and refuses the events."""
    with pytest.raises(
        TemplateError, match=rf"line 10: Resources.Web.Properties.{key}: SAM carries no Fn::If out here"
    ):
        read(
            f"""
            Conditions: {{Is: !Equals [a, a]}}
            Resources:
              Web:
                Type: AWS::Serverless::Function
                Properties:
                  Runtime: python3.13
                  Handler: adapter.entrypoint.handler
                  {key}: !If [Is, {{AuthType: NONE}}, !Ref AWS::NoValue]
            """
        )
