from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from static_sync.exceptions import UnreadableAnswerError
from static_sync.stores.contract import RemoteObject
from static_sync.stores.s3.answers import parse_error, parse_page


def listing(*keys: str, more: str = "<IsTruncated>false</IsTruncated>") -> bytes:
    contents = "".join(
        f"<Contents><Key>{key}</Key><Size>3</Size><ETag>&quot;abc&quot;</ETag></Contents>" for key in keys
    )
    return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{more}{contents}</ListBucketResult>'.encode()


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True),
    st.sampled_from([quote, quote_plus]),
)
def test_any_key_comes_back_from_a_listing(keys: list[str], encode: object) -> None:
    assert callable(encode)
    page = parse_page(listing(*map(encode, keys)))
    assert page.objects == dict.fromkeys(keys, RemoteObject("abc", 3))
    assert page.next_token is None


def test_a_page_names_the_next() -> None:
    page = parse_page(
        listing("a", more="<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>")
    )
    assert page.next_token == "t+/="


def test_services_without_the_namespace_and_with_more_elements_are_understood() -> None:
    contents = b"<Contents><Owner><ID>Key</ID></Owner><Key>a</Key><Size>1</Size></Contents>"
    assert parse_page(b"<ListBucketResult>" + contents + b"</ListBucketResult>").objects == {"a": RemoteObject("", 1)}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        listing("a")[:-5],
        b"<html><body>Sign in</body></html>",
        listing("a", more="<IsTruncated>true</IsTruncated>"),
        b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>big</Size></Contents></ListBucketResult>",
    ],
)
def test_what_is_not_a_whole_listing_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        parse_page(body)


def test_entities_are_not_expanded() -> None:
    body = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><ListBucketResult>&b;</ListBucketResult>'
    with pytest.raises(UnreadableAnswerError, match="document type"):
        parse_page(body)


def test_an_error_is_read_whatever_it_is() -> None:
    assert parse_error(b"<Error><Code>NoSuchBucket</Code><Message> gone </Message></Error>") == {
        "Code": "NoSuchBucket",
        "Message": "gone",
    }
    assert parse_error(b"Bad gateway") == {}
    assert parse_error(b"") == {}
