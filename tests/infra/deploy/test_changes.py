"""The table of what would change."""

from __future__ import annotations

import io

from infra.deploy import changes
from infra.stacks import Change
from infra.steps import Steps

CHANGES = [
    Change("Add", "Alarm", "AWS::CloudWatch::Alarm"),
    Change("Modify", "Web", "AWS::Lambda::Function", "False"),
    Change("Modify", "Jobs", "AWS::SQS::Queue", "True"),
    Change("Modify", "Cdn", "AWS::CloudFront::Distribution", "Conditional"),
    Change("Remove", "Logs", "AWS::Logs::LogGroup"),
]
LOSS = (
    "note       Jobs (AWS::SQS::Queue) would go, with what is in it, unless its DeletionPolicy or UpdateReplacePolicy "
    "keeps it."
)


def test_what_is_lost_is_said() -> None:
    stream = io.StringIO()
    changes.show(Steps(stream), CHANGES, [("AlarmEmail", "", "ada@example.com")])
    lines = [line.strip() for line in stream.getvalue().splitlines()]
    assert lines == [
        "add         Alarm  AWS::CloudWatch::Alarm",
        "change      Web    AWS::Lambda::Function",
        "replace     Jobs   AWS::SQS::Queue",
        "change      Cdn    AWS::CloudFront::Distribution",
        "remove      Logs   AWS::Logs::LogGroup",
        "parameter   AlarmEmail: (empty) -> ada@example.com",
        LOSS,
    ]
    assert changes.summary(CHANGES) == "1 to add, 2 to change, 1 to replace, 1 to remove"
