"""What a stage has come to: its stack, the versions that serve, its queue and its alarms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from ..artifacts import Artifacts, account_of, chosen
from ..clients import Clients, asking, code_of
from ..exceptions import ConfigurationError
from ..site import ALIAS, Site
from ..stacks import CloudFormation

_SHOWN = 5
"""Releases."""
_AT_ONCE = 100
"""Alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""


class Row(NamedTuple):
    """A line of the report; ``colour`` is for what wants attention."""

    title: str
    text: str
    colour: str | None = None


def rows(site: Site) -> Iterator[Row]:
    """The report, line by line; raises `StackNotFound` where nothing was deployed."""
    stack, clients = site.stack, site.clients
    yield Row(site.stage.name, f"stack {stack.name} in {clients.region}, {stack.status}", _colour(stack.status))
    if "SiteUrl" in stack.outputs:
        yield Row("site", stack.outputs["SiteUrl"])
    serving = {}
    for kind, name in site.functions().items():
        serving[kind], row = _of_function(clients, kind, name)
        yield row
    if serving.get("web"):
        yield from _of_releases(clients, stack.name, serving["web"])
    for title, output in (("jobs", "JobsQueueUrl"), ("dead jobs", "DeadJobsQueueUrl")):
        if output in stack.outputs:
            yield _of_queue(clients, title, stack.outputs[output])
    yield from _of_alarms(clients, stack.name)


def _colour(status: str) -> str | None:
    if "FAILED" in status or "ROLLBACK" in status:
        return "red"
    return "yellow" if status.endswith("_IN_PROGRESS") else None


def _of_function(clients: Clients, kind: str, name: str) -> tuple[str, Row]:
    """The version that the function's alias names, empty where there is no alias; and what to say of it."""
    from botocore.exceptions import ClientError

    service = clients("lambda")
    with asking(f"look which version of {name} serves"):
        try:
            alias = service.get_alias(FunctionName=name, Name=ALIAS)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return "", Row(kind, f"no version serves: there is no alias {ALIAS}", "red")
        live = alias["FunctionVersion"]
        published = service.get_function_configuration(FunctionName=name, Qualifier=live)["LastModified"]
    text = f"version {live} of {_when(datetime.fromisoformat(published))}"
    shares = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if not shares:
        return live, Row(kind, text)
    beside = "".join(f"; {share:.0%} of the calls go to version {version}" for version, share in shares.items())
    return live, Row(kind, f"{text}{beside}", "yellow")


def _of_releases(clients: Clients, stack: str, live: str) -> Iterator[Row]:
    """The releases by `django-faas deploy` and `rollback`, the newest first, and where a rollback would go."""
    releases = Artifacts(clients, account_of(clients), stack).releases()
    for number, release in enumerate(releases[: -_SHOWN - 1 : -1]):
        serves = ", serves" if number == 0 and release.version == live else ""
        back = f", in place of {release.withdrawn}" if release.withdrawn else ""
        yield Row("release", f"version {release.version} from {_when(release.at)} on{back}{serves}")
    try:
        target = chosen(releases, live, None)
    except ConfigurationError as error:
        yield Row("rollback", str(error))
    else:
        yield Row("rollback", f"would go to version {target.version}, which served from {_when(target.at)} on")


def _of_queue(clients: Clients, title: str, url: str) -> Row:
    names = {
        "ApproximateNumberOfMessages": "waiting",
        "ApproximateNumberOfMessagesNotVisible": "at work",
        "ApproximateNumberOfMessagesDelayed": "for later",
    }
    with asking(f"look into the queue {url}"):
        found = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
    counts = {text: int(found[name]) for name, text in names.items()}
    if title == "jobs":
        return Row(title, ", ".join(f"{count} {text}" for text, count in counts.items()))
    dead = sum(counts.values())
    if not dead:
        return Row(title, "none")
    return Row(title, f"{dead} given up; see why: django-faas logs --function worker --errors --since 1d", "red")


def _of_alarms(clients: Clients, stack: str) -> Iterator[Row]:
    resources = CloudFormation(clients).resources(stack)
    # One that could not be made has no name.
    names = [made.physical for made in resources if made.type == "AWS::CloudWatch::Alarm" and made.physical]
    alarms: list[dict[str, Any]] = []
    with asking("read the alarms"):
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            alarms += clients("cloudwatch").describe_alarms(AlarmNames=some, MaxRecords=_AT_ONCE)["MetricAlarms"]
    ringing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    for alarm in ringing:
        since = _when(alarm["StateUpdatedTimestamp"])
        yield Row("alarm", f"{alarm['AlarmName']} since {since}: {alarm.get('StateReason', '')}", "red")
    if len(alarms) > len(ringing):
        yield Row("alarms", f"{len(alarms) - len(ringing)} quiet")


def _when(moment: datetime) -> str:
    """The moment as a person reads it, in the time zone of this machine."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
