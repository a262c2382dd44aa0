from __future__ import annotations

import pytest

from static_sync.destination import Destination
from static_sync.exceptions import UsageError
from static_sync.stores.s3.endpoint import aws_endpoint, custom_endpoint


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://my-site", "my-site", ""),
        ("s3://my-site/", "my-site", ""),
        ("s3://my-site/static", "my-site", "static/"),
        ("S3://my.site/a/b/", "my.site", "a/b/"),
        ("s3://my-site/a%20b+c", "my-site", "a%20b+c/"),
        ("s3://my-site/grün?x", "my-site", "grün?x/"),
    ],
)
def test_a_destination_is_a_bucket_and_a_prefix(url: str, bucket: str, prefix: str) -> None:
    assert Destination.parse(url) == Destination(bucket, prefix)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("my-site/static", "s3://BUCKET/PREFIX"),
        ("https://my-site.s3.amazonaws.com/", "s3://BUCKET/PREFIX"),
        ("s3://", "names no bucket"),
        ("s3:///static", "names no bucket"),
        ("s3://a b/static", "names no bucket"),
        ("s3://my-site/a//b", "empty"),
        ("s3://my-site/../b", "empty"),
        ("s3://my-site/./b", "empty"),
        (f"s3://my-site/{'a' * 1024}", "1024"),
    ],
)
def test_what_is_no_destination_is_explained(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Destination.parse(url)


def test_amazon_is_addressed_by_host_name() -> None:
    endpoint = aws_endpoint("my-site", "eu-west-1")
    assert (str(endpoint), endpoint.base) == ("https://my-site.s3.eu-west-1.amazonaws.com", "")
    assert endpoint.is_aws
    assert aws_endpoint("my-site", "cn-north-1").is_aws
    assert aws_endpoint("my-site", "cn-north-1").host == "my-site.s3.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize("bucket", ["my.site", "My-Site", "my_site"])
def test_a_bucket_that_is_no_host_name_goes_into_the_path(bucket: str) -> None:
    endpoint = aws_endpoint(bucket, "us-east-1")
    assert (endpoint.host, endpoint.base) == ("s3.us-east-1.amazonaws.com", f"/{bucket}")


@pytest.mark.parametrize(
    ("url", "secure", "authority"),
    [
        ("http://127.0.0.1:9000", False, "127.0.0.1:9000"),
        ("http://127.0.0.1:9000/", False, "127.0.0.1:9000"),
        ("https://x.r2.cloudflarestorage.com", True, "x.r2.cloudflarestorage.com"),
        ("https://minio:443", True, "minio"),
        ("http://minio:80", False, "minio"),
        ("http://[::1]:9000", False, "[::1]:9000"),
    ],
)
def test_a_custom_endpoint_is_addressed_by_path(url: str, secure: bool, authority: str) -> None:
    endpoint = custom_endpoint(url, "b")
    assert (endpoint.secure, endpoint.authority, endpoint.base) == (secure, authority, "/b")
    assert not endpoint.is_aws


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9000", "s3://x", "http://", "http://h:port", "http://h/path", "http://u:p@h"]
)
def test_an_endpoint_that_is_none_is_explained(url: str) -> None:
    with pytest.raises(UsageError, match="endpoint"):
        custom_endpoint(url, "b")
