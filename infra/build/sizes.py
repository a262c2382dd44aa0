"""Step "size": what the package weighs, against what Lambda takes.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from pathlib import Path

from .package import Installed, Zip
from .target import Target

MB = 1 << 20
UNPACKED_LIMIT = 250 * MB
"""Bytes that a function's code and its layers may take."""
UPLOAD_LIMIT = 50 * MB
"""Bytes of a zip that is sent to Lambda itself; through S3 there is no limit but the other one."""
_SHOWN = 5
_IMAGE = """\
# A function's code as an image can take 10 GB. Build and push it where there is Docker, in this folder:
#   docker build --platform {platform} --provenance=false -t ACCOUNT.dkr.ecr.REGION.amazonaws.com/{name} .
# and give the template's functions PackageType: Image and ImageUri instead of Runtime, Handler and CodeUri.
FROM public.ecr.aws/lambda/python:{python}
RUN --mount=type=bind,source={zip},target=/tmp/{zip} python -m zipfile -e /tmp/{zip} ${{LAMBDA_TASK_ROOT}}
CMD ["{handler}"]
"""


def report(packages: tuple[Installed, ...], unpacked: int) -> str:
    """The largest packages, and all else, in a line."""
    largest = sorted(packages, key=lambda entry: -entry.size)[:_SHOWN]
    named = [f"{entry.name} {shown(entry.size)}" for entry in largest]
    rest = unpacked - sum(entry.size for entry in largest)
    return ", ".join([*named, f"all else {shown(rest)}"])


def shown(size: int) -> str:
    """A size in bytes as a person reads it."""
    return f"{size / MB:.1f} MB" if size >= MB / 10 else f"{size / 1024:.1f} kB"


def too_large(zipped: Zip, packages: tuple[Installed, ...], image: Path) -> str:
    """Why the package can't be deployed, and the ways out."""
    boto3 = any(entry.name == "botocore" for entry in packages)
    runtimes = " Leave boto3 to the runtime, which has its own: --runtime-boto3." if boto3 else ""
    return (
        f"Unpacked it is {shown(zipped.unpacked)}, and Lambda takes {shown(UNPACKED_LIMIT)}: "
        f"{report(packages, zipped.unpacked)}. Take out of the requirements what only development needs, and name "
        f"what the project can do without in .faasignore.{runtimes} Or run it as an image, which may have 10 GB: "
        f"{image} is a start."
    )


def write_image_file(path: Path, name: str, target: Target, zipped: Zip, handler: str) -> None:
    """Write the build file of an image with the same content."""
    platform = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}[target.architecture]
    text = _IMAGE.format(platform=platform, name=name, python=target.python, zip=zipped.path.name, handler=handler)
    path.write_text(text, encoding="utf-8")
