"""Who may ask, and whom the application takes the visitor for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import override_settings

from adapter import ConfigurationError, LambdaHandler
from adapter.options import Options
from tests.project import asgi, wsgi

from .conftest import Make

SECRETS: dict[str, Any] = {"origin_secrets": (b"new", b"old")}


def seen(event: dict[str, Any], application: Any = wsgi.application, **options: Any) -> dict[str, Any]:
    handler = LambdaHandler(application, options=Options(**options))
    try:
        answer = handler(event)
    finally:
        handler.close()
    assert answer["statusCode"] == 200, answer
    report: dict[str, Any] = json.loads(answer["body"])
    return report


@pytest.mark.parametrize("secret", ["new", "old"])
def test_a_request_with_either_secret_gets_in_and_the_secret_does_not(make: Make, secret: str) -> None:
    report = seen(make(headers={"X-Origin-Verify": secret}), **SECRETS)
    assert "X-Origin-Verify" not in report["headers"]


@pytest.mark.parametrize(
    "headers", [{}, {"x-origin-verify": "wrong"}, {"x-origin-verify": ""}, {"x-origin-verify": "nèw"}]
)
def test_a_request_past_the_cdn_is_refused_before_django_is_called(make: Make, headers: dict[str, str]) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise AssertionError("called")

    answer = LambdaHandler(application, options=Options(**SECRETS))(make(headers=headers))
    assert answer["statusCode"] == 403


@pytest.mark.parametrize("door", ["rest_api", "alb_multi_value"], indirect=True)
def test_a_secret_sent_twice_is_none(make: Make) -> None:
    event = make()
    event["multiValueHeaders"]["x-origin-verify"] = ["new", "new"]
    answer = LambdaHandler(wsgi.application, options=Options(**SECRETS))(event)
    assert answer["statusCode"] == 403


@pytest.mark.parametrize("secret", ["new", "wrong"])
@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("198.51.100.7:46532", "198.51.100.7"),
        ("2001:db8::1:46532", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
    ],
)
def test_the_cdns_viewer_address_is_believed_from_the_cdn_alone(
    make: Make, secret: str, address: str, client: str
) -> None:
    event = make(headers={"x-origin-verify": secret, "cloudfront-viewer-address": address})
    if secret == "new":
        assert seen(event, **SECRETS)["client"] == client
    else:
        del event["headers" if "headers" in event else "multiValueHeaders"]["x-origin-verify"]
        assert seen(event, trusted_proxies=1)["client"] != client


@pytest.mark.parametrize("door", ["alb", "alb_multi_value"], indirect=True)
@pytest.mark.parametrize(
    ("proxies", "client"), [(0, "130.176.0.1"), (1, "203.0.113.9"), (2, "10.0.0.1"), (3, "130.176.0.1")]
)
def test_trusted_proxies_are_counted_from_the_front_door_outwards(make: Make, proxies: int, client: str) -> None:
    event = make(headers={"x-forwarded-for": "10.0.0.1, 203.0.113.9, 130.176.0.1"})
    assert seen(event, trusted_proxies=proxies)["client"] == client


USERS: dict[str, tuple[dict[str, Any], str]] = {
    "jwt": ({"authorizer": {"jwt": {"claims": {"sub": "ada"}, "scopes": None}}}, "http_api"),
    "lambda": ({"authorizer": {"lambda": {"principalId": "ada"}}}, "http_api"),
    "iam": ({"authorizer": {"iam": {"userArn": "ada"}}}, "function_url"),
    "cognito": ({"authorizer": {"claims": {"sub": "ada"}}}, "rest_api"),
    "principal": ({"authorizer": {"principalId": "ada"}}, "rest_api"),
    "signed": ({"identity": {"userArn": "ada"}}, "rest_api"),
    "lattice": ({"serviceNetworkArn": "arn", "identity": {"principal": "ada"}}, "vpc_lattice_2"),
}


@pytest.mark.parametrize("switched_on", [True, False])
@pytest.mark.parametrize("application", [wsgi.application, asgi.application], ids=["wsgi", "asgi"])
@pytest.mark.parametrize(("extra", "door"), USERS.values(), ids=USERS, indirect=["door"])
def test_the_authorizers_user_is_remote_user_only_when_switched_on(
    make: Make, extra: dict[str, Any], application: Any, switched_on: bool
) -> None:
    event = make()
    event["requestContext"].update(extra)
    report = seen(event, application, remote_user=switched_on)
    assert report["user"] == ("ada" if switched_on else None)


@pytest.mark.parametrize("application", [wsgi.application, asgi.application], ids=["wsgi", "asgi"])
def test_a_client_cannot_name_itself(make: Make, application: Any) -> None:
    report = seen(make(headers={"remote-user": "root"}), application, remote_user=True)
    assert report["user"] is None
    if application is asgi.application:
        # Django's middleware reads this very header there.
        assert "Remote-User" not in report["headers"]


@pytest.mark.parametrize(("told", "trusting", "status"), [(True, True, 418), (True, False, 403), (False, True, 400)])
def test_a_form_behind_the_cdn_passes_the_csrf_check_with_the_documented_settings(
    make: Make, told: bool, trusting: bool, status: int
) -> None:
    token = "a" * 32
    headers = {
        "host": "abc.execute-api.eu-west-1.amazonaws.com",
        "origin": "https://www.example.com",
        "cookie": f"csrftoken={token}",
        "x-csrftoken": token,
        "x-forwarded-proto": "https",
        **({"x-forwarded-host": "www.example.com"} if told else {}),
    }
    hosts = ["www.example.com"] if trusting else ["*"]
    with override_settings(USE_X_FORWARDED_HOST=trusting, ALLOWED_HOSTS=hosts):
        answer = LambdaHandler(wsgi.application)(make("POST", path="/teapot/", headers=headers))
    assert answer["statusCode"] == status


@pytest.mark.parametrize("door", ["rest_api"], indirect=True)
@pytest.mark.parametrize("application", [wsgi.application, asgi.application])
@pytest.mark.parametrize(
    ("path", "requested", "kept"),
    [("/", "/live/", ""), ("/", "/live", ""), ("/a%20b/", "/live/a%20b/", ""), ("/a/", "/liveness/a/", "/liveness")],
)
def test_no_address_has_what_the_cdn_puts_before_the_path(
    make: Make, application: Any, path: str, requested: str, kept: str
) -> None:
    event = make(path=path, requestContext={"path": requested, "stage": "live"})
    report = seen(event, application, origin_path="/live")
    assert report["path_info"] == path.replace("%20", " ")
    assert report["uri"] == f"https://{report['host']}{kept}{path}"


def test_every_option_comes_from_the_environment() -> None:
    environment = {
        "FAAS_ORIGIN_SECRET": "new, old,",
        "FAAS_TRUSTED_PROXIES": "2",
        "FAAS_ORIGIN_PATH": "/live",
        "FAAS_REMOTE_USER": "1",
        "FAAS_HEALTH_CHECK_PATH": "/up/",
        "FAAS_HEALTH_CHECK_STATUS": "204",
        "FAAS_DEADLINE_MARGIN": "1.5",
    }
    assert Options.from_environment(environment) == Options((b"new", b"old"), 2, "/live", True, "/up/", 204, 1.5)
    assert Options.from_environment({}) == Options()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAAS_TRUSTED_PROXIES", "many"),
        ("FAAS_TRUSTED_PROXIES", "-1"),
        ("FAAS_ORIGIN_PATH", "live"),
        ("FAAS_ORIGIN_PATH", "/live/"),
        ("FAAS_REMOTE_USER", "yes"),
        ("FAAS_DEADLINE_MARGIN", "nan"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is '{value}'"):
        Options.from_environment({name: value})
