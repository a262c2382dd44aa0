"""Taking a stage away: the stack, and what it leaves behind only when that is asked for."""

from __future__ import annotations

from ..artifacts import empty
from ..clients import asking, code_of
from ..site import Site
from ..stacks import Stack
from ..steps import Steps
from ..variables import Variables
from .failure import Course
from .target import Target

_BUCKETS = ("StaticBucket", "MediaBucket")


def destroy(target: Target, steps: Steps, *, delete_data: bool) -> None:
    """Delete the stage's stack; with ``delete_data`` also buckets, variables, and what was deployed.

    Raises `DeployError`, and `StackNotFound` where there is nothing.
    """
    stack = target.stacks.describe(target.name)
    variables = Variables(Site(target.stage, target.clients))
    course = Course(steps, "What is deleted already is gone. Run the command again.")
    with course.step("stack") as step:
        target.stacks.delete(target.name, lambda event: step.progress(str(event)))
        step.says(f"{target.name} is deleted")
    if delete_data:
        by_hand = "; ".join(f"aws s3 rb --force s3://{bucket}" for bucket in buckets(stack))
        course.serves = f"The stack is deleted, and can't be asked for its buckets again. By hand: {by_hand}"
        for bucket in buckets(stack):
            with course.step("bucket") as step:
                count = empty(target.clients, bucket)
                _delete_bucket(target, bucket)
                step.says(f"{bucket} is deleted, with {count} objects")
        with course.step("variables") as step:
            names = list(variables.all(decrypted=False))
            variables.unset(names)
            step.says(f"{len(names)} below {variables.path} are deleted")
        with course.step("artifacts") as step:
            step.says(f"{target.artifacts.empty()} in {target.artifacts.bucket} are deleted")
        return
    for bucket in buckets(stack):
        if _is_there(target, bucket):
            steps.note(f"The bucket {bucket} is kept, with its files.")
    steps.note(
        f"The variables below {variables.path} are kept, and what lies in s3://{target.artifacts.bucket}/{target.name}/."
    )


def buckets(stack: Stack) -> list[str]:
    """The buckets that hold the site's data."""
    return sorted({stack.outputs[name] for name in _BUCKETS if stack.outputs.get(name)})


def _is_there(target: Target, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    with asking(f"look for the bucket {bucket}"):
        try:
            target.clients("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) == "404":
                return False
            raise
    return True


def _delete_bucket(target: Target, bucket: str) -> None:
    from botocore.exceptions import ClientError

    with asking(f"delete the bucket {bucket}"):
        try:
            target.clients("s3").delete_bucket(Bucket=bucket)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
