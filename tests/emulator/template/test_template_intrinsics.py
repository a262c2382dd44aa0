"""CloudFormation's functions, conditions, mappings, parameters and Globals."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.template.document import Map
from emulator.template.errors import Place, TemplateError
from emulator.template.globals import merged
from emulator.template.intrinsics import Evaluator, text_of

from .conftest import Read

HERE = Place("template.yaml")
VARIABLES = """
    Parameters:
      Stage: {Type: String, Default: live, AllowedValues: [live, test]}
      Size: {Type: Number, Default: 3}
      Hosts: {Type: CommaDelimitedList, Default: "a.org, b.org"}
      Key: {Type: "AWS::SSM::Parameter::Value<String>", Default: /site/key}
      Needed: {Type: String}
    Conditions:
      IsLive: !Equals [!Ref Stage, live]
      IsBig: !Not [!Equals [!Ref Size, 3]]
      Both: !And [!Condition IsLive, !Condition IsBig]
      Either: !Or [!Condition IsLive, !Condition IsBig]
      Circle: !Not [!Condition Circle]
      OnNeeded: !Equals [!Ref Needed, x]
    Mappings:
      Sizes: {live: {Memory: 512}, test: {Memory: 256}, eu-central-1: {Hosts: [x, y]}}
    Resources:
      Jobs: {Type: AWS::SQS::Queue}
      Mail: {Type: AWS::SQS::Queue, Condition: IsBig}
      Files: {Type: AWS::S3::Bucket}
      Database: {Type: AWS::RDS::DBInstance}
      Web:
        Type: AWS::Serverless::Function
        Properties:
          Runtime: python3.13
          Handler: adapter.entrypoint.handler
          AutoPublishAlias: live
          FunctionUrlConfig: {AuthType: NONE}
          Environment:
            Variables:
              VALUE: %s
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!Ref Stage", "live"),
        ("!Ref Size", "3"),
        ("!Ref AWS::Region", "eu-central-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref Jobs", "https://sqs.eu-central-1.amazonaws.com/123456789012/Jobs"),
        ("!Ref Files", "django-faas"),
        ("!Ref Web.Alias", "arn:aws:lambda:eu-central-1:123456789012:function:Web:live"),
        ("!Ref WebAliaslive", "arn:aws:lambda:eu-central-1:123456789012:function:Web:live"),
        ("!GetAtt Jobs.Arn", "arn:aws:sqs:eu-central-1:123456789012:Jobs"),
        ("!GetAtt Files.RegionalDomainName", "django-faas.s3.eu-central-1.amazonaws.com"),
        ("!GetAtt WebRole.Arn", "arn:aws:iam::123456789012:role/WebRole"),
        ("!GetAtt WebUrl.FunctionUrl", "https://weburl.lambda-url.eu-central-1.on.aws/"),
        ("!Sub '${AWS::StackName}-${Stage}-${!Literal}'", "django-faas-live-${Literal}"),
        ("!Sub '${Jobs.QueueName}/${Web.Alias}'", "Jobs/arn:aws:lambda:eu-central-1:123456789012:function:Web:live"),
        ("!Sub ['${a}/${Stage}', {a: !Ref Size}]", "3/live"),
        ("!Sub '$100 ${Stage}'", "$100 live"),
        ("!Join ['-', [a, !Ref Stage, 2]]", "a-live-2"),
        ("!Join [' ', !Ref Hosts]", "a.org b.org"),
        ("!Select [1, !Ref Hosts]", "b.org"),
        ("!Select ['2', !Split [/, 'https://x/y']]", "x"),
        ("!If [IsLive, yes-it-is, !Ref Nothing]", "yes-it-is"),
        ("!If [IsBig, !Ref Nothing, no]", "false"),
        ("!If [Both, 1, 2]", "2"),
        ("!If [Either, 1, 2]", "1"),
        ("!FindInMap [Sizes, !Ref Stage, Memory]", "512"),
        ("!Join [',', !FindInMap [Sizes, !Ref 'AWS::Region', Hosts]]", "x,y"),
        ("!FindInMap [Sizes, other, Memory, {DefaultValue: 128}]", "128"),
        ("!Select [0, !GetAZs '']", "eu-central-1a"),
        ("{'Fn::Length': !Ref Hosts}", "2"),
        ("{'Fn::ToJsonString': {manage: [!Ref Stage]}}", '{"manage":["live"]}'),
        ("!Base64 hi", "aGk="),
        ("true", "true"),
        ("1.10", "1.1"),
        ("10", "10"),
    ],
)
def test_what_functions_stand_for(read: Read, written: str, meant: str) -> None:
    assert read(VARIABLES % written).functions["Web"].variables == {"VALUE": meant}


def test_no_value_is_not_there(read: Read) -> None:
    assert read(VARIABLES % "!Ref AWS::NoValue").functions["Web"].variables == {}
    assert read(VARIABLES % "!If [IsBig, 1, !Ref AWS::NoValue]").functions["Web"].variables == {}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("'{{resolve:ssm:/site/key:1}}'", "ssm:/site/key:1"),
        ("!Sub '{{resolve:secretsmanager:${Stage}/db:SecretString:url}}'", "secretsmanager:live/db:SecretString:url"),
        ("!Sub 'postgres://${Database.Endpoint.Address}/site'", "Database.Endpoint.Address"),
        ("!ImportValue shared-queue", "import:shared-queue"),
        ("!ImportValue {'Fn::Sub': '${Stage}-queue'}", "import:live-queue"),
        ("!Ref Key", "ssm:/site/key"),
        ("!Ref Needed", "Needed"),
    ],
)
def test_what_only_aws_knows_is_left_to_the_environment_or_given(read: Read, written: str, key: str) -> None:
    blueprint = read(VARIABLES % written)
    assert blueprint.functions["Web"].variables == {}
    said = f"VALUE of Web has no value here: set it in this shell, or give --parameter '{key}=...'"
    assert said in blueprint.notes

    blueprint = read(VARIABLES % written, {key: "given"})
    assert "given" in blueprint.functions["Web"].variables["VALUE"]
    assert not any("VALUE" in note for note in blueprint.notes)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("!Ref Stagee", "no resource is called 'Stagee'; is 'Stage' meant"),
        ("!GetAtt Job.Arn", "no resource is called 'Job'; is 'Jobs' meant"),
        ("!Sub '${Nope}'", r"Variables.VALUE.Fn::Sub: no parameter and no resource is called 'Nope'"),
        ("!Ref Mail", "Mail is not made, as its condition IsBig is false"),
        ("!If [IsBigg, 1, 2]", "no condition 'IsBigg'; is 'IsBig' meant"),
        ("!If [Circle, 1, 2]", "depends on itself"),
        ("!If [OnNeeded, 1, 2]", r"only AWS knows this; give it a value with --parameter 'Needed=\.\.\.'"),
        ("!If [IsLive, 1]", "a list of 3 is wanted"),
        ("!FindInMap [Sizes, live, Memry]", "Mappings has no 'Memry' there; is 'Memory' meant"),
        ("!Select [2, [a, b]]", "no item '2' in a list of 2"),
        ("!Join [',', text]", "a list is wanted here, not 'text'"),
        ("!Cidr [10.0.0.0/16, 2, 8]", "does not know this function"),
        ("[a, b]", "text is wanted here, not a list"),
        ("{a: b}", "text is wanted here, not a mapping"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_line(read: Read, written: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said) as raised:
        read(VARIABLES % written)
    assert "template.yaml, line " in str(raised.value)


def test_an_error_names_file_line_and_key(read: Read) -> None:
    with pytest.raises(TemplateError) as raised:
        read(
            """
            Resources:
              Web:
                Type: AWS::Serverless::Function
                Properties:
                  Handler: adapter.entrypoint.handler
                  Timeout: soon
            """
        )
    assert str(raised.value) == "template.yaml, line 8: Resources.Web.Properties.Timeout: 'soon' is no number"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"Stagee": "x"}, "--parameter Stagee=...: there is no such parameter; is Stage meant"),
        ({"Zzz": "x"}, "there are: Stage, Size, Hosts, Key, Needed"),
        ({"Stage": "prod"}, "line 4: Parameters.Stage: --parameter Stage=prod: choose one of: live, test"),
        ({"Size": "big"}, "a number is wanted"),
    ],
)
def test_parameters_the_template_does_not_take(read: Read, parameters: dict[str, str], said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        read(VARIABLES % "x", parameters)


def test_parameters_given(read: Read) -> None:
    value = "!Sub ['${Stage}/${Size}/${Needed}/${hosts}', {hosts: !Join [+, !Ref Hosts]}]"
    read_ = read(VARIABLES % value, Stage="test", Size="7", Needed="n", Hosts="c")
    assert read_.functions["Web"].variables == {"VALUE": "test/7/n/c"}


def test_a_pattern_that_a_parameter_has_to_match(read: Read) -> None:
    text = "Parameters: {Name: {Type: String, AllowedPattern: '[a-z]+'}}\nResources: {A: {Type: AWS::SQS::Queue}}\n"
    with pytest.raises(TemplateError, match=r"it has to match \[a-z\]\+"):
        read(text, Name="A1")


def test_sam_types_want_the_transform(tmp_path: Any) -> None:
    from emulator.template import read_template

    path = tmp_path / "template.yaml"
    path.write_text("Resources: {Web: {Type: AWS::Serverless::Function}}")
    with pytest.raises(TemplateError, match="the template needs the line `Transform: AWS::Serverless-2016-10-31`"):
        read_template(path, {}, region="us-east-1")


def test_globals_are_merged(read: Read) -> None:
    blueprint = read(
        """
        Globals:
          Function:
            Runtime: python3.13
            Handler: adapter.entrypoint.handler
            Timeout: 28
            Environment: {Variables: {A: common, B: common}}
        Resources:
          Web: {Type: AWS::Serverless::Function}
          Worker:
            Type: AWS::Serverless::Function
            Properties: {Timeout: 300, Environment: {Variables: {B: own, C: own}}}
        """
    )
    web, worker = blueprint.functions["Web"], blueprint.functions["Worker"]
    assert (web.timeout, dict(web.variables)) == (28, {"A": "common", "B": "common"})
    assert (worker.timeout, dict(worker.variables)) == (300, {"A": "common", "B": "own", "C": "own"})


def test_how_globals_are_merged() -> None:
    common = Map({"list": [1], "map": Map({"a": 1, "b": 1}), "text": "x", "function": Map({"Ref": "A"})})
    own = Map({"list": [2], "map": Map({"b": 2}), "text": "y", "function": Map({"Ref": "B"})})
    assert merged(common, own) == {"list": [1, 2], "map": {"a": 1, "b": 2}, "text": "y", "function": {"Ref": "B"}}


class NoNames:
    def known(self) -> list[str]:
        return []

    def reference(self, name: str, place: Place) -> None:
        return None

    def attribute(self, name: str, attribute: str, place: Place) -> None:
        return None


def evaluator(parameters: dict[str, Any] | None = None, conditions: Map | None = None) -> Evaluator:
    made = Evaluator(parameters or {}, {}, Map(), conditions or Map())
    made.names = NoNames()
    return made


PIECES = st.text(st.characters(exclude_characters="{}$,", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(PIECES, min_size=1, max_size=5), st.sampled_from([",", "::", "ab"]))
def test_what_is_joined_can_be_split(pieces: list[str], separator: str) -> None:
    joined = Map({"Fn::Join": [separator, pieces]})
    split = evaluator().value(Map({"Fn::Split": [separator, joined]}), HERE)
    assert separator.join(split) == separator.join(pieces)
    if not any(separator in piece for piece in pieces) and separator == ",":
        assert split == pieces


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True), PIECES, min_size=1, max_size=4), PIECES)
def test_sub_puts_every_parameter_in_its_place(values: dict[str, str], between: str) -> None:
    template = between.join(f"${{{name}}}${{!{name}}}" for name in values)
    expected = between.join(f"{value}${{{name}}}" for name, value in values.items())
    assert evaluator(values).value(Map({"Fn::Sub": template}), HERE) == expected


LEAVES = st.none() | st.booleans() | st.integers() | PIECES


@given(st.recursive(LEAVES, lambda below: st.lists(below) | st.dictionaries(PIECES, below)))
def test_what_has_no_function_in_it_stays_as_it_is(value: Any) -> None:
    assert evaluator().value(_tree(value), HERE) == value


@given(st.recursive(LEAVES, lambda below: st.lists(below) | st.dictionaries(PIECES, below), max_leaves=8))
def test_json_and_base64_can_be_read_again(value: Any) -> None:
    written = evaluator().value(Map({"Fn::ToJsonString": _tree(value)}), HERE)
    assert json.loads(written) == value
    encoded = evaluator().value(Map({"Fn::Base64": written}), HERE)
    assert base64.b64decode(encoded).decode() == written


def _compound(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.tuples(st.sampled_from(["and", "or"]), below, below)
    return several | st.tuples(st.just("not"), below)


TRUTHS = st.recursive(st.booleans(), _compound, max_leaves=12)


@given(TRUTHS)
def test_conditions_are_boolean_algebra(truth: Any) -> None:
    conditions = Map({"It": _condition(truth)})
    assert evaluator(conditions=conditions).holds("It", HERE) == _truth(truth)


def _condition(truth: Any) -> Map:
    if isinstance(truth, bool):
        return Map({"Fn::Equals": ["x", "x" if truth else "y"]})
    name, *items = truth
    return Map({f"Fn::{name.capitalize()}": [_condition(item) for item in items]})


def _truth(truth: Any) -> bool:
    if isinstance(truth, bool):
        return truth
    name, *items = truth
    if name == "not":
        return not _truth(items[0])
    return (all if name == "and" else any)(_truth(item) for item in items)


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return Map({key: _tree(item) for key, item in value.items()})
    return [_tree(item) for item in value] if isinstance(value, list) else value


def test_text_of_scalars() -> None:
    assert [text_of(value, HERE) for value in (True, False, 1, 1.5, "x")] == ["true", "false", "1", "1.5", "x"]
