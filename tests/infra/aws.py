"""AWS for the tests of what deploys and operates: moto's server, a CloudFormation beside it, and a site's CDN.

moto answers for every service but CloudFormation, which it cannot execute for this stack. That one is a double behind
an endpoint of its own: it takes and gives what botocore's model of the service says, its texts are those that were seen
from AWS (sources beside them), and the resources of a stack are made on moto, so that whatever comes after it is the
same code as on AWS. Endpoints are found by ``AWS_ENDPOINT_URL`` and ``AWS_ENDPOINT_URL_CLOUDFORMATION``.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tempfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

import pytest

from emulator.template.document import load

REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# The output that names each function of the template, and the function's own logical id.
FUNCTIONS = {
    "WebFunction": "Web",
    "WorkerFunction": "Worker",
    "ConsoleFunction": "Console",
    "MigrateFunction": "Migrate",
}
_CHANGING = ("AWS::Serverless::Function", "AWS::Lambda::Alias")
_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
_ids = count(1)


class Server:
    """A WSGI application on a port of its own, in a thread."""

    def __init__(self, application: Wsgi) -> None:
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = make_server("127.0.0.1", 0, application, True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Aws:
    """One account. ``environment`` is what a process needs to find it; ``client`` gives boto3's clients of moto.

    ``cloudformation`` and ``site`` are the doubles: what the next deploy meets is set on them.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from moto.server import ThreadedMotoServer

            self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
            self._moto.start()
        host, port = self._moto.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self._clients: dict[str, Any] = {}
        self.site = Site(self)
        self._site_server = Server(self.site)
        self.site.url = self._site_server.url
        self.cloudformation = CloudFormation(self)
        self._cloudformation_server = Server(self.cloudformation)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_CLOUDFORMATION": self._cloudformation_server.url,
        }

    def client(self, service: str) -> Any:
        """boto3's client for ``service``, the same each time."""
        if service not in self._clients:
            import boto3

            make: Any = boto3.client
            self._clients[service] = make(
                service,
                region_name=REGION,
                endpoint_url=self._cloudformation_server.url if service == "cloudformation" else self.url,
                aws_access_key_id="AKIDEXAMPLE",
                aws_secret_access_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            )
        return self._clients[service]

    def stack(self, name: str = "shop-production") -> dict[str, str]:
        """A stack that was deployed once, by other means than this project's; its outputs."""
        self.client("s3").create_bucket(Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("s3").put_object(Bucket="elsewhere", Key="function.zip", Body=package())
        template = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Globals": {"Function": {"CodeUri": "s3://elsewhere/function.zip"}},
            "Parameters": {"SmokePath": {"Type": "String", "Default": "/"}},
            "Resources": {
                logical: {"Type": "AWS::Serverless::Function", "Properties": {"AutoPublishAlias": "live"}}
                for logical in FUNCTIONS.values()
            },
        }
        service = self.client("cloudformation")
        service.create_change_set(
            StackName=name,
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        service.execute_change_set(StackName=name, ChangeSetName="first")
        return self.cloudformation.settle(name)

    def alias(self, function: str) -> str:
        """The version that a function's alias ``live`` stands at."""
        return str(self.client("lambda").get_alias(FunctionName=function, Name="live")["FunctionVersion"])

    def reset(self) -> None:
        """As new: nothing of any service is left."""
        import urllib.request

        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request):
            pass
        self.cloudformation.reset()
        self.site.reset()

    def stop(self) -> None:
        for client in self._clients.values():
            client.close()
        self._cloudformation_server.stop()
        self._site_server.stop()
        self._moto.stop()


class Site:
    """The site behind its CDN: pages say which version of the function answers, static files come from the bucket."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.url = ""
        self.reset()

    def reset(self) -> None:
        self.function = ""
        self.bucket = ""
        self.broken: set[str] = set()
        """Versions that answer 500."""
        self.lost: set[str] = set()
        """Paths of static files that are refused."""
        self.not_yet = 0
        """So many requests more are answered 503, as from an edge that does not know the distribution yet."""
        self.requests: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.requests.append((environ["REQUEST_METHOD"], path))
        status, body = self._answer(path)
        start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, path: str) -> tuple[str, bytes]:
        if self.not_yet:
            self.not_yet -= 1
            return "503 Service Unavailable", b"not yet"
        if path in self.lost:
            return "403 Forbidden", b"AccessDenied"
        if path.startswith("/static/"):
            store = self._aws.client("s3")
            try:
                return "200 OK", store.get_object(Bucket=self.bucket, Key=path[1:])["Body"].read()
            except store.exceptions.NoSuchKey:
                return "403 Forbidden", b"AccessDenied"
        version = self._aws.alias(self.function)
        if version in self.broken:
            return "500 Internal Server Error", f"version {version} is broken".encode()
        return "200 OK", f"version {version}".encode()


@dataclass
class ChangeSet:
    """A change set as it was asked for."""

    id: str
    kind: str
    template: str
    parameters: dict[str, str]
    status: str
    reason: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    polls: int = 0


@dataclass
class Stack:
    """A stack; what has happened to it but was not yet told is in ``coming``."""

    name: str
    id: str
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Type and physical id by logical id."""
    believed: dict[str, str] = field(default_factory=dict)
    """The version that each alias is at, as far as the stack knows."""
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    coming: list[dict[str, Any]] = field(default_factory=list)
    status: str = "REVIEW_IN_PROGRESS"
    is_half_way: bool = False


class Refused(Exception):
    """A ``ValidationError`` with this text, or an error of another code."""

    def __init__(self, message: str, code: str = "ValidationError") -> None:
        super().__init__(message)
        self.code = code


class CloudFormation:
    """The service's query API (botocore's model of it), for stacks of the project's template.

    ``migration`` is what CodeDeploy's hook comes to: None, or the lines that the failed migration leaves in the log.
    ``failure`` is (logical id, reason) of a resource that can't be made in the next execution.
    """

    def __init__(self, aws: Aws) -> None:
        import botocore.session

        self._aws = aws
        self._model = botocore.session.get_session().get_service_model("cloudformation")
        self.reset()

    def reset(self) -> None:
        self.stacks: list[Stack] = []
        self.migration: list[str] | None = None
        self.failure: tuple[str, str] | None = None
        self.requests: list[tuple[str, dict[str, Any]]] = []

    # --- the protocol

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        form = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        asked = _nested(parse_qsl(form, keep_blank_values=True))
        action = asked.pop("Action")
        asked.pop("Version")
        self.requests.append((action, asked))
        try:
            answer = getattr(self, f"_{action}")(**asked)
        except Refused as error:
            status = "400 Bad Request"
            body = (
                f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{error.code}</Code>'
                f"<Message>{escape(str(error))}</Message></Error><RequestId>{next(_ids)}</RequestId></ErrorResponse>"
            )
        else:
            status = "200 OK"
            shape = self._model.operation_model(action).output_shape
            result = _xml(shape, answer or {}) if shape is not None else ""
            body = (
                f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{result}</{action}Result>'
                f"<ResponseMetadata><RequestId>{next(_ids)}</RequestId></ResponseMetadata></{action}Response>"
            )
        data = body.encode()
        start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(data)))])
        return [data]

    def settle(self, name: str) -> dict[str, str]:
        """All that is under way for a stack is told as done; its outputs."""
        stack = self._stack(name)
        while stack.coming:
            self._advance(stack)
        return stack.outputs

    def _stack(self, name: str) -> Stack:
        for stack in reversed(self.stacks):
            if name == stack.id or (name == stack.name and stack.status != "DELETE_COMPLETE"):
                return stack
        raise Refused(f"Stack with id {name} does not exist")

    # --- its actions

    def _DescribeStacks(self, StackName: str) -> dict[str, Any]:  # noqa: N802, N803
        stack = self._stack(StackName)
        self._advance(stack)
        about = {
            "StackId": stack.id,
            "StackName": stack.name,
            "CreationTime": datetime.now(UTC),
            "StackStatus": stack.status,
            "DisableRollback": False,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in stack.parameters.items()],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in stack.outputs.items()],
        }
        return {"Stacks": [about]}

    def _DescribeStackEvents(self, StackName: str, NextToken: str = "0") -> dict[str, Any]:  # noqa: N802, N803
        stack = self._stack(StackName)
        # Newest first, in pages, as boto3's paginator takes them; twenty on each here, a hundred there.
        page, after = stack.events[::-1][int(NextToken) :][:20], int(NextToken) + 20
        return {"StackEvents": page, **({"NextToken": str(after)} if after < len(stack.events) else {})}

    def _ListStackResources(self, StackName: str) -> dict[str, Any]:  # noqa: N802, N803
        stack = self._stack(StackName)
        summaries = [
            {
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical,
                "ResourceType": kind,
                "LastUpdatedTimestamp": datetime.now(UTC),
                "ResourceStatus": "CREATE_COMPLETE",
            }
            for logical, (kind, physical) in stack.resources.items()
        ]
        return {"StackResourceSummaries": summaries}

    def _GetTemplate(self, StackName: str, TemplateStage: str = "Original") -> dict[str, Any]:  # noqa: N802, N803
        stack = self._stack(StackName)
        if TemplateStage == "Processed" and "Transform" in _parsed(stack.template):
            return {"TemplateBody": json.dumps(_expanded(stack)), "StagesAvailable": ["Original", "Processed"]}
        return {"TemplateBody": stack.template, "StagesAvailable": ["Original", "Processed"]}

    def _CreateChangeSet(  # noqa: N802
        self,
        *,
        StackName: str,  # noqa: N803
        ChangeSetName: str,  # noqa: N803
        ChangeSetType: str = "UPDATE",  # noqa: N803
        TemplateURL: str | None = None,  # noqa: N803
        TemplateBody: str | None = None,  # noqa: N803
        Parameters: list[dict[str, str]] | None = None,  # noqa: N803
        Capabilities: list[str] | None = None,  # noqa: N803
        **others: Any,
    ) -> dict[str, Any]:
        stack = None
        with suppress(Refused):
            stack = self._stack(StackName)
        if ChangeSetType == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise Refused(
                    f"Stack [{StackName}] already exists and cannot be created again with the changeSet "
                    f"[{ChangeSetName}]."
                )
            if stack is None:
                stack = Stack(StackName, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{StackName}/{next(_ids)}")
                self.stacks.append(stack)
        elif stack is None or stack.status == "REVIEW_IN_PROGRESS":
            raise Refused(f"Stack [{StackName}] does not exist")
        elif stack.status == "ROLLBACK_COMPLETE" or stack.status.endswith("_IN_PROGRESS"):
            # https://github.com/aws/aws-cli/issues/6216
            raise Refused(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        text = TemplateBody if TemplateBody is not None else self._fetched(str(TemplateURL))
        template = _parsed(text)
        if "Transform" in template and "CAPABILITY_AUTO_EXPAND" not in (Capabilities or ()):
            raise Refused("Requires capabilities : [CAPABILITY_AUTO_EXPAND]", "InsufficientCapabilitiesException")
        declared = template.get("Parameters", {})
        given = {entry["ParameterKey"]: entry for entry in Parameters or ()}
        if unknown := sorted(set(given) - set(declared)):
            raise Refused(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        values = {}
        for key, declaration in declared.items():
            entry = given.get(key, {})
            if entry.get("UsePreviousValue") == "true":
                values[key] = stack.parameters[key]
            elif "ParameterValue" in entry:
                values[key] = entry["ParameterValue"]
            elif "Default" in declaration:
                values[key] = str(declaration["Default"])
            else:
                raise Refused(f"Parameters: [{key}] must have values")
        made = ChangeSet(
            f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/{ChangeSetName}/{next(_ids)}",
            ChangeSetType,
            text,
            values,
            "CREATE_COMPLETE",
        )
        made.changes = self._changes(stack, made)
        if not made.changes:
            made.status = "FAILED"
            # https://github.com/aws/aws-toolkit-azure-devops/issues/97 and, without a transform,
            # https://github.com/realestate-com-au/stackup/issues/49
            made.reason = (
                "No updates are to be performed."
                if "Transform" in template
                else "The submitted information didn't contain changes. "
                "Submit different information to create a change set."
            )
        stack.change_sets[ChangeSetName] = stack.change_sets[made.id] = made
        return {"Id": made.id, "StackId": stack.id}

    def _DescribeChangeSet(  # noqa: N802
        self,
        ChangeSetName: str,  # noqa: N803
        StackName: str = "",  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        stack, made = self._change_set(StackName, ChangeSetName)
        made.polls += 1
        about = {
            "ChangeSetName": ChangeSetName,
            "ChangeSetId": made.id,
            "StackId": stack.id,
            "StackName": stack.name,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in made.parameters.items()],
            "CreationTime": datetime.now(UTC),
        }
        if made.polls == 1:
            return {**about, "Status": "CREATE_PENDING", "ExecutionStatus": "UNAVAILABLE", "Changes": []}
        reason = {"StatusReason": made.reason} if made.reason else {}
        executable = "AVAILABLE" if made.status == "CREATE_COMPLETE" else "UNAVAILABLE"
        page, after = made.changes[int(NextToken) :][:20], int(NextToken) + 20
        token = {"NextToken": str(after)} if after < len(made.changes) else {}
        return {**about, "Status": made.status, "ExecutionStatus": executable, "Changes": page, **reason, **token}

    def _DeleteChangeSet(self, ChangeSetName: str, StackName: str = "") -> dict[str, Any]:  # noqa: N802, N803
        stack, made = self._change_set(StackName, ChangeSetName)
        for key in [key for key, value in stack.change_sets.items() if value is made]:
            del stack.change_sets[key]
        return {}

    def _ExecuteChangeSet(  # noqa: N802
        self,
        ChangeSetName: str,  # noqa: N803
        StackName: str = "",  # noqa: N803
        **others: Any,
    ) -> dict[str, Any]:
        stack, made = self._change_set(StackName, ChangeSetName)
        if made.status != "CREATE_COMPLETE":
            raise Refused(
                f"ChangeSet [{made.id}] cannot be executed in its current status of [{made.status}]",
                "InvalidChangeSetStatus",
            )
        stack.change_sets.clear()
        stack.status = f"{made.kind}_IN_PROGRESS"
        _Execution(self, self._aws, stack, made).run()
        self.failure = None
        return {}

    def _DeleteStack(self, StackName: str, **others: Any) -> None:  # noqa: N802, N803
        with suppress(Refused):
            stack = self._stack(StackName)
            if stack.status == "REVIEW_IN_PROGRESS":
                stack.status = "DELETE_COMPLETE"
                return
            remove(self._aws, stack, retains=True)
            stack.status = "DELETE_IN_PROGRESS"
            for status in ("DELETE_IN_PROGRESS", "DELETE_COMPLETE"):
                stack.coming.append(_event(stack, stack.name, "AWS::CloudFormation::Stack", status))

    # ---

    def _change_set(self, stack_name: str, name: str) -> tuple[Stack, ChangeSet]:
        for stack in self.stacks:
            if name in stack.change_sets and stack_name in ("", stack.name, stack.id):
                return stack, stack.change_sets[name]
        raise Refused(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound")

    def _fetched(self, url: str) -> str:
        """The template that lies in a bucket, whose URL has the bucket in its host or as the path's first part."""
        parts = urlsplit(url)
        host = str(parts.hostname)
        if ".s3." in host:
            bucket, key = host.partition(".s3.")[0], parts.path[1:]
        else:
            bucket, _, key = parts.path[1:].partition("/")
        store = self._aws.client("s3")
        try:
            return str(store.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        except (store.exceptions.NoSuchKey, store.exceptions.NoSuchBucket):
            raise Refused("S3 error: The specified key does not exist.") from None

    def _changes(self, stack: Stack, made: ChangeSet) -> list[dict[str, Any]]:
        """What the change set would do: a coarse answer of the right shape."""
        if made.kind == "UPDATE" and (made.template, made.parameters) == (stack.template, stack.parameters):
            return []
        changes = []
        for logical, resource in _parsed(made.template)["Resources"].items():
            known = logical in stack.resources
            if "Condition" in resource or (known and resource["Type"] not in _CHANGING):
                continue
            change = {
                "Action": "Modify" if known else "Add",
                "LogicalResourceId": logical,
                "ResourceType": str(resource["Type"]).replace("AWS::Serverless::Function", "AWS::Lambda::Function"),
                **({"PhysicalResourceId": stack.resources[logical][1], "Replacement": "False"} if known else {}),
                "Scope": ["Properties"] if known else [],
                "Details": [],
            }
            changes.append({"Type": "Resource", "ResourceChange": change})
        return changes

    def _advance(self, stack: Stack) -> None:
        """A part of what is coming happens."""
        # The first half, then all of it.
        number = len(stack.coming) if stack.is_half_way else len(stack.coming) // 2
        stack.is_half_way = not stack.is_half_way and bool(stack.coming)
        happening, stack.coming = stack.coming[:number], stack.coming[number:]
        for event in happening:
            event["Timestamp"] = datetime.now(UTC)
            stack.events.append(event)
            if event["ResourceType"] == "AWS::CloudFormation::Stack":
                stack.status = event["ResourceStatus"]


class _Execution:
    """Carries a change set out on moto, and sets down the events of it."""

    def __init__(self, service: CloudFormation, aws: Aws, stack: Stack, change_set: ChangeSet) -> None:
        self._service = service
        self._aws = aws
        self._stack = stack
        self._set = change_set
        self._lambda = aws.client("lambda")

    def run(self) -> None:
        stack, kind = self._stack, self._set.kind
        self._tell(stack.name, "AWS::CloudFormation::Stack", f"{kind}_IN_PROGRESS", "User Initiated")
        before = (stack.template, stack.parameters, dict(stack.believed), dict(stack.resources))
        stack.template, stack.parameters = self._set.template, self._set.parameters
        template = _parsed(stack.template)
        try:
            if "Transform" in template:
                if kind == "CREATE":
                    self._foundations()
                self._functions(template)
            else:
                self._aliases(template)
        except _Failed as error:
            self._tell(error.logical, error.kind, f"{kind}_FAILED", error.reason)
            back = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
            said = f"The following resource(s) failed to {kind.lower()}: [{error.logical}]. "
            self._tell(stack.name, "AWS::CloudFormation::Stack", f"{back}_IN_PROGRESS", said)
            if kind == "UPDATE":
                stack.template, stack.parameters, stack.believed, stack.resources = before
                self._back()
            else:
                remove(self._aws, stack, retains=False)
            self._tell(stack.name, "AWS::CloudFormation::Stack", f"{back}_COMPLETE")
            return
        self._tell(stack.name, "AWS::CloudFormation::Stack", f"{kind}_COMPLETE")

    def _tell(self, logical: str, kind: str, status: str, reason: str = "") -> None:
        self._stack.coming.append(_event(self._stack, logical, kind, status, reason))

    def _made(self, logical: str, kind: str, physical: str) -> None:
        if self._service.failure and self._service.failure[0] == logical:
            raise _Failed(logical, kind, self._service.failure[1])
        verb = "UPDATE" if logical in self._stack.resources else "CREATE"
        self._stack.resources[logical] = (kind, physical)
        self._tell(logical, kind, f"{verb}_IN_PROGRESS")
        self._tell(logical, kind, f"{verb}_COMPLETE")

    def _foundations(self) -> None:
        """Bucket, queues, secret and distribution."""
        aws, name = self._aws, self._stack.name
        bucket = f"{name}-files-{ACCOUNT}"
        if any(there["Name"] == bucket for there in aws.client("s3").list_buckets()["Buckets"]):
            bucket += f"-{next(_ids)}"  # an earlier stack's was kept
        aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self._made("Bucket", "AWS::S3::Bucket", bucket)
        sqs = aws.client("sqs")
        dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        self._made("DeadJobs", "AWS::SQS::Queue", dead)
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})
        jobs = sqs.create_queue(QueueName=f"{name}-jobs", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
        self._made("Jobs", "AWS::SQS::Queue", jobs)
        secret = aws.client("secretsmanager").create_secret(Name=f"{name}-key", SecretString="planted-secret-key")
        self._made("SecretKey", "AWS::SecretsManager::Secret", secret["ARN"])
        origin = {
            "Id": "files",
            "DomainName": f"{bucket}.s3.{REGION}.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        distribution = aws.client("cloudfront").create_distribution(
            DistributionConfig={
                "CallerReference": f"{name}-{next(_ids)}",
                "Comment": "",
                "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [origin]},
                "DefaultCacheBehavior": {"TargetOriginId": "files", "ViewerProtocolPolicy": "redirect-to-https"},
            }
        )["Distribution"]
        self._made("Cdn", "AWS::CloudFront::Distribution", distribution["Id"])
        role = aws.client("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")["Role"]
        self._made("Role", "AWS::IAM::Role", role["Arn"])
        self._stack.outputs |= {
            "SiteUrl": aws.site.url,
            "DistributionId": distribution["Id"],
            "DistributionDomain": distribution["DomainName"],
            "StaticBucket": bucket,
            "MediaBucket": bucket,
            "JobsQueueUrl": jobs,
            "DeadJobsQueueUrl": dead,
        }
        aws.site.bucket = bucket

    def _functions(self, template: Mapping[str, Any]) -> None:
        for output, logical in FUNCTIONS.items():
            resource = template["Resources"][logical]
            properties = {**template.get("Globals", {}).get("Function", {}), **resource.get("Properties", {})}
            bucket, _, key = str(properties["CodeUri"]).removeprefix("s3://").partition("/")
            name = self._names(logical)
            if logical in self._stack.resources:
                published = self._lambda.update_function_code(
                    FunctionName=name, S3Bucket=bucket, S3Key=key, Publish=True
                )
            else:
                published = self._lambda.create_function(
                    FunctionName=name,
                    Runtime="python3.13",
                    Architectures=["arm64"],
                    Handler="adapter.entrypoint.handler",
                    Role=self._stack.resources["Role"][1],
                    Code={"S3Bucket": bucket, "S3Key": key},
                    Timeout=28,
                    Publish=True,
                )
                logs = self._aws.client("logs")
                with suppress(logs.exceptions.ResourceAlreadyExistsException):  # that of an earlier stack
                    logs.create_log_group(logGroupName=f"/aws/lambda/{self._stack.name}")
            self._stack.outputs[output] = name
            self._made(logical, "AWS::Lambda::Function", name)
            version = str(published["Version"])
            label = hashlib.sha256(f"{bucket}/{key}{sorted(self._stack.parameters.items())}".encode()).hexdigest()[:10]
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:{version}"
            self._made(f"{logical}Version{label}", "AWS::Lambda::Version", arn)
            self._switch(logical, version)
        self._aws.site.function = self._names("Web")
        for logical, resource in template["Resources"].items():
            self._stack.resources.setdefault(logical, (str(resource["Type"]), f"{self._stack.name}-{logical}"))

    def _names(self, logical: str) -> str:
        if logical == "Migrate":
            return f"CodeDeployHook_{self._stack.name}"
        return f"{self._stack.name}-{logical.lower()}"

    def _switch(self, logical: str, version: str) -> None:
        """The alias moves: at once when it is new, else by CodeDeploy, whose hook belongs to the web function."""
        name, alias = self._names(logical), f"{logical}Aliaslive"
        if logical not in self._stack.believed:
            self._lambda.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
        elif version != self._stack.believed[logical]:
            if self._aws.alias(name) != self._stack.believed[logical] and logical == "Web":
                # https://github.com/aws/serverless-application-model/issues/291
                raise _Failed(
                    alias,
                    "AWS::Lambda::Alias",
                    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment "
                    "configuration is missing or has an invalid configuration. The Lambda function alias version does "
                    "not match the current version in AppSpec file. (Error code: INVALID_LAMBDA_CONFIGURATION)",
                )
            if logical == "Web" and self._service.migration is not None:
                self._log("Migrate", self._service.migration)
                # What AWS says here was not to be found; nothing goes by it.
                raise _Failed(alias, "AWS::Lambda::Alias", "The deployment failed")
            self._lambda.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        self._stack.believed[logical] = version
        self._made(alias, "AWS::Lambda::Alias", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:live")

    def _log(self, logical: str, lines: list[str]) -> None:
        logs, group = self._aws.client("logs"), f"/aws/lambda/{self._stack.name}"
        stream = f"2026/01/01/{self._names(logical)}[1]{next(_ids)}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        now = int(datetime.now(UTC).timestamp() * 1000)
        logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": now + at, "message": line} for at, line in enumerate(lines)],
        )

    def _aliases(self, template: Mapping[str, Any]) -> None:
        """A template without a transform: of it only the aliases' versions are looked at."""
        for logical in FUNCTIONS.values():
            resource = template["Resources"][f"{logical}Aliaslive"]
            version = resource["Properties"]["FunctionVersion"]
            if isinstance(version, str) and version != self._stack.believed[logical]:
                assert "UpdatePolicy" not in resource, "CodeDeploy would be asked to move it"
                self._lambda.update_alias(FunctionName=self._names(logical), Name="live", FunctionVersion=version)
                self._stack.believed[logical] = version
                self._made(f"{logical}Aliaslive", "AWS::Lambda::Alias", self._stack.resources[f"{logical}Aliaslive"][1])

    def _back(self) -> None:
        """What an update that failed leaves: aliases as before, but for one that CloudFormation never moved."""
        for logical in FUNCTIONS.values():
            name, version = self._names(logical), self._stack.believed[logical]
            if logical != "Web":
                self._lambda.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def remove(aws: Aws, stack: Stack, *, retains: bool) -> None:
    """Delete the resources of a stack; ``retains`` leaves those that their DeletionPolicy keeps."""
    declared = _parsed(stack.template)["Resources"]
    deletes: dict[str, Callable[[str], Any]] = {
        "AWS::CloudFront::Distribution": lambda _: None,  # only after it was disabled, which none of the tests need
        "AWS::IAM::Role": lambda arn: aws.client("iam").delete_role(RoleName=arn.rpartition("/")[2]),
        "AWS::Lambda::Function": lambda name: aws.client("lambda").delete_function(FunctionName=name),
        "AWS::S3::Bucket": lambda name: aws.client("s3").delete_bucket(Bucket=name),
        "AWS::SQS::Queue": lambda url: aws.client("sqs").delete_queue(QueueUrl=url),
        "AWS::SecretsManager::Secret": lambda arn: aws.client("secretsmanager").delete_secret(
            SecretId=arn, ForceDeleteWithoutRecovery=True
        ),
    }
    for logical, (kind, physical) in stack.resources.items():
        kept = retains and declared.get(logical, {}).get("DeletionPolicy", "Delete") != "Delete"
        if kind in deletes and not kept and physical != f"{stack.name}-{logical}":
            deletes[kind](physical)
    stack.resources.clear()
    stack.believed.clear()


class _Failed(Exception):
    def __init__(self, logical: str, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.logical, self.kind, self.reason = logical, kind, reason


def _event(stack: Stack, logical: str, kind: str, status: str, reason: str = "") -> dict[str, Any]:
    physical = stack.id if kind == "AWS::CloudFormation::Stack" else stack.resources.get(logical, ("", ""))[1]
    event = {
        "StackId": stack.id,
        "EventId": f"{logical}-{status}-{next(_ids)}",
        "StackName": stack.name,
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "ResourceStatus": status,
    }
    return {**event, "ResourceStatusReason": reason} if reason else event


def _expanded(stack: Stack) -> dict[str, Any]:
    """The stack's template as the SAM transform leaves it, as far as aliases and versions go."""
    template = _parsed(stack.template)
    resources: dict[str, Any] = dict(template["Resources"])
    for logical in FUNCTIONS.values():
        versions = [name for name, (kind, _) in stack.resources.items() if name.startswith(f"{logical}Version")]
        resources[logical] = {"Type": "AWS::Lambda::Function", "Properties": {}}
        resources[versions[-1]] = {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": logical}},
        }
        resources[f"{logical}Aliaslive"] = {
            "Type": "AWS::Lambda::Alias",
            "UpdatePolicy": {
                "CodeDeployLambdaAliasUpdate": {
                    "ApplicationName": {"Ref": "ServerlessDeploymentApplication"},
                    "DeploymentGroupName": {"Ref": f"{logical}DeploymentGroup"},
                }
            },
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": logical},
                "FunctionVersion": {"Fn::GetAtt": [versions[-1], "Version"]},
            },
        }
    return {"Parameters": template.get("Parameters", {}), "Resources": resources}


def _parsed(text: str) -> dict[str, Any]:
    """A template, in YAML or JSON, as plain values."""
    if text.startswith("{"):
        return dict(json.loads(text))
    if not text:
        return {"Resources": {}}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return load(Path(file.name))


def _nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """``A.member.1.B=x`` is ``{"A": [{"B": "x"}]}``."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return {key: _lists(value) for key, value in tree.items()}


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if set(node) == {"member"}:
        return [_lists(node["member"][key]) for key in sorted(node["member"], key=int)]
    return {key: _lists(value) for key, value in node.items()}


def _xml(shape: Any, value: Any) -> str:
    match shape.type_name:
        case "structure":
            return "".join(f"<{name}>{_xml(shape.members[name], entry)}</{name}>" for name, entry in value.items())
        case "list":
            return "".join(f"<member>{_xml(shape.member, entry)}</member>" for entry in value)
        case "timestamp":
            return f"{value:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        case "boolean":
            return str(value).lower()
        case _:
            return escape(str(value))


def package(content: str = "print('a function')") -> bytes:
    """A deployment package, as small as one can be."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), content)
    return data.getvalue()


@pytest.fixture(scope="session")
def aws_account() -> Iterator[Aws]:
    """The servers, which are started once."""
    account = Aws()
    yield account
    account.stop()


@pytest.fixture
def aws(aws_account: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An empty account, and an environment that leads there alone."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "FAAS_STAGE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in aws_account.environment.items():
        monkeypatch.setenv(name, value)
    yield aws_account
    aws_account.reset()
