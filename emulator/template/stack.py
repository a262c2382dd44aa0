"""The template as a whole: its resources with Globals merged in, what SAM makes besides, and notes on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import globals as common
from . import parameters
from .document import Map
from .errors import Place
from .intrinsics import Evaluator
from .names import LocalNames, Resource
from .properties import Properties

IMPLICIT_HTTP_API = "ServerlessHttpApi"
IMPLICIT_REST_API = "ServerlessRestApi"
_SAM = "AWS::Serverless-2016-10-31"


class Stack:
    """What the readers of functions, doors and the rest work on."""

    def __init__(self, tree: Map, given: Mapping[str, str], file: str, region: str, bucket: str) -> None:
        self._root = Place(file)
        self._evaluator = Evaluator(
            parameters.values(self._top(tree, "Parameters"), given, self._below(tree, "Parameters")),
            given,
            self._top(tree, "Mappings"),
            self._top(tree, "Conditions"),
        )
        self._notes: dict[str, None] = {}
        self.resources: dict[str, Resource] = {}
        self.names = self._evaluator.names = LocalNames(self.resources, region, bucket)
        declared = self._top(tree, "Resources")
        if not declared:
            raise self._root.error("a template has Resources, and this one has none")
        self._read(declared, self._below(tree, "Resources"), self._top(tree, "Globals"), tree)
        self._add_generated(self._top(tree, "Globals"))

    def of(self, *types: str) -> Iterator[Resource]:
        """The resources of these types that are made, in the template's order, those that SAM makes last."""
        return (resource for resource in self.resources.values() if resource.type in types and resource.unmet is None)

    def note(self, text: str) -> None:
        """Something the user should know; said once."""
        self._notes[text] = None

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def _top(self, tree: Map, key: str) -> Map:
        value = tree.get(key)
        if value is None:
            return Map()
        if not isinstance(value, Map):
            raise self._below(tree, key).error("a mapping is wanted here")
        return value

    def _below(self, tree: Map, key: str) -> Place:
        return self._root.below(key, tree.lines.get(key))

    def _read(self, declared: Map, place: Place, shared: Map, tree: Map) -> None:
        transforms = tree.get("Transform") or []
        for name, node in declared.items():
            at = place.below(name, declared.lines.get(name))
            if name.startswith("Fn::"):
                raise at.error("the emulator does not know this function; write the resources themselves")
            if not isinstance(node, Map) or "::" not in str(node.get("Type")):
                raise at.error("a resource is a mapping with a Type, as in AWS::SQS::Queue")
            kind = str(node["Type"])
            if kind.startswith("AWS::Serverless::") and _SAM not in transforms:
                raise at.error(f"{kind} is SAM's: the template needs the line `Transform: {_SAM}`")
            section = shared.get(common.SECTIONS.get(kind, ""))
            properties = common.merged(section, node.get("Properties") or Map()) if section else node.get("Properties")
            condition = node.get("Condition")
            unmet = None if condition is None or self._evaluator.holds(str(condition), at) else str(condition)
            self.resources[name] = self._resource(name, kind, properties or Map(), at, unmet)

    def _resource(self, name: str, kind: str, node: Any, place: Place, unmet: str | None = None) -> Resource:
        at = place.below("Properties")
        if not isinstance(node, Map):
            raise at.error("a mapping is wanted here")
        return Resource(name, kind, Properties(node, at, self._evaluator), place, unmet)

    def _add_generated(self, shared: Map) -> None:
        """https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html"""

        def add(name: str, kind: str, properties: Map, place: Place) -> None:
            if name not in self.resources:
                self.resources[name] = self._resource(name, kind, properties, place)

        for api, kind, own in (
            (IMPLICIT_HTTP_API, "AWS::Serverless::HttpApi", Map()),
            (IMPLICIT_REST_API, "AWS::Serverless::Api", Map({"StageName": "Prod"})),
        ):
            add(api, kind, common.merged(shared.get(common.SECTIONS[kind]) or Map(), own), self._root.below(api))
        for resource in list(self.of("AWS::Serverless::Api", "AWS::Serverless::HttpApi")):
            kind = "AWS::ApiGateway::Stage" if resource.type == "AWS::Serverless::Api" else "AWS::ApiGatewayV2::Stage"
            stage = resource.properties.text("StageName", "$default")
            for suffix in (f"{stage}Stage".replace("$default", "ApiGatewayDefault"), ".Stage"):
                add(f"{resource.id}{suffix}", kind, Map({"StageName": stage}), resource.place)
        for resource in list(self.of("AWS::Serverless::Function")):
            name, place = resource.id, resource.place
            owner = {"FunctionName": Map({"Ref": name})}
            add(f"{name}Role", "AWS::IAM::Role", Map(), place)
            for key in ("Events", "FunctionUrlConfig"):
                if function := resource.properties.function(key):
                    raise resource.properties.error(
                        key,
                        f"SAM carries no {function} out here, and what it makes can't be deployed; write resources "
                        "with a Condition instead (AWS::Lambda::Url, AWS::Lambda::EventSourceMapping)",
                    )
            url = resource.properties.outline("FunctionUrlConfig")
            if url is not None:
                add(f"{name}Url", "AWS::Lambda::Url", common.merged(url, Map(owner)), place)
            if alias := resource.properties.text("AutoPublishAlias"):
                for suffix in (f"Alias{alias}", ".Alias"):
                    add(f"{name}{suffix}", "AWS::Lambda::Alias", Map({**owner, "Name": alias}), place)
                add(f"{name}.Version", "AWS::Lambda::Version", Map(owner), place)
