"""What is to be emulated: functions, what leads to them, and what lies around them; said by a template or by default.

Pure descriptions. Times are in seconds, memory in MB; a function is referred to by its name in ``Blueprint.functions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HANDLER = "adapter.entrypoint.handler"


@dataclass(frozen=True)
class Function:
    """One function; ``variables`` are those the template gives it. ``concurrency`` is reserved for it, if not None."""

    name: str
    handler: str = HANDLER
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 28.0
    memory: int = 1024
    concurrency: int | None = None
    snapstart: bool = False


@dataclass(frozen=True)
class Route:
    """A method (``ANY`` for all) and a path as API Gateway writes it: ``/api/{proxy+}``, or ``$default`` alone.

    ``public``: neither the door's authorizer nor its API keys are asked for here.
    """

    method: str
    path: str
    public: bool = False


@dataclass(frozen=True)
class Cors:
    """What an HTTP API or a function URL answers to browsers of other origins; ``max_age`` None where not set."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None
    credentials: bool = False


@dataclass(frozen=True)
class JwtAuthorizer:
    """An HTTP API's: tokens of ``issuer`` for one of ``audiences``, with one of ``scopes`` where there are any."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    identity_source: str = "$request.header.Authorization"


@dataclass(frozen=True)
class LambdaAuthorizer:
    """A ``function`` that is asked; ``kind`` is a REST API's. Identity sources are written as in the template's API.

    ``payload`` and ``simple`` (the answer is ``{"isAuthorized": ...}``) are an HTTP API's; ``ttl`` 0 keeps no answer;
    ``validation`` is a regular expression that a REST API's token must match.
    """

    name: str
    function: str
    kind: Literal["token", "request"] = "request"
    identity_sources: tuple[str, ...] = ()
    ttl: float = 300.0
    payload: Literal["1.0", "2.0"] = "2.0"
    simple: bool = False
    validation: str | None = None


Authorizer = JwtAuthorizer | LambdaAuthorizer


@dataclass(frozen=True)
class Door:
    """A front door; ``kind`` is its name in `front_doors.FRONT_DOORS`. Without ``routes`` it takes every path.

    ``timeout`` None is the kind's own. ``api_keys``: one of these has to be in ``X-Api-Key``. ``health_check`` is the
    path that a load balancer asks for. Doors of one ``name`` are one API with several functions or authorizers: they
    share an address, and the most specific of all their routes decides.
    """

    kind: str
    function: str
    stage: str | None = None
    streaming: bool = False
    timeout: float | None = None
    routes: tuple[Route, ...] = ()
    binary_media_types: tuple[str, ...] = ("*/*",)
    cors: Cors | None = None
    authorizer: Authorizer | None = None
    api_keys: tuple[str, ...] = ()
    health_check: str | None = None
    name: str = ""


@dataclass(frozen=True)
class CachePolicy:
    """How long the CDN keeps answers, and what tells one cached answer from another besides host and path.

    ``queries``, ``headers`` and ``cookies`` name what counts; ``("*",)`` is all of them, and none is the default.
    """

    minimum: float = 0.0
    default: float = 0.0
    maximum: float = 0.0
    queries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    gzip: bool = False
    brotli: bool = False


# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_DISABLED = CachePolicy()
CACHING_OPTIMIZED = CachePolicy(minimum=1, default=86_400, maximum=31_536_000, gzip=True, brotli=True)


@dataclass(frozen=True)
class OriginRequestPolicy:
    """What the front door hears of a request besides what the cache policy names; ``("*",)`` is all of it."""

    queries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
ALL_VIEWER_EXCEPT_HOST = OriginRequestPolicy(("*",), ("*",), ("*",))


@dataclass(frozen=True)
class Behaviour:
    """Where the CDN takes what matches ``pattern`` from (``*`` and ``?`` as CloudFront has them), and what it keeps.

    ``origin`` is the bucket or the first front door. ``cut`` characters of the path come before the key in the bucket.
    ``origin_path`` is put before the path on the way to the origin.
    """

    pattern: str
    origin: Literal["bucket", "door"]
    cache: CachePolicy = CACHING_DISABLED
    compress: bool = False
    methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE")
    cut: int = 0
    forward: OriginRequestPolicy = ALL_VIEWER_EXCEPT_HOST
    origin_path: str = ""


@dataclass(frozen=True)
class ErrorAnswer:
    """What the CDN makes of an origin's error ``status``: another page and status where given; kept ``ttl`` seconds."""

    status: int
    ttl: float = 10.0
    page: str | None = None
    answer: int | None = None


@dataclass(frozen=True)
class Distribution:
    """The CDN; ``behaviours`` in order, the last is the default one. ``secrets`` are headers that its origins get.

    ``tag_header`` is where an origin's answer names the tags by which it may be invalidated.
    """

    behaviours: tuple[Behaviour, ...]
    errors: tuple[ErrorAnswer, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    tag_header: str | None = None


@dataclass(frozen=True)
class DeadLetters:
    queue: str
    receives: int


@dataclass(frozen=True)
class Queue:
    """An SQS queue by its name; ``visibility`` is its timeout, ``deduplicated`` its ContentBasedDeduplication."""

    name: str
    visibility: float = 30.0
    delay: float = 0.0
    fifo: bool = False
    dead_letters: DeadLetters | None = None
    deduplicated: bool = False


@dataclass(frozen=True)
class QueueMapping:
    """An event source mapping: ``window`` is how long a batch is waited for; ``partial``: ReportBatchItemFailures."""

    queue: str
    function: str
    batch: int = 10
    window: float = 0.0
    partial: bool = False
    concurrency: int | None = None
    enabled: bool = True


@dataclass(frozen=True)
class Schedule:
    """``expression`` is ``rate(5 minutes)``, ``cron(0 3 * * ? *)`` or ``at(2026-12-31T23:00:00)``; ``payload`` JSON.

    ``source`` tells the scheduler's own form of the event from that of an EventBridge rule.
    """

    name: str
    expression: str
    function: str
    payload: str | None = None
    timezone: str = "UTC"
    source: Literal["rule", "scheduler"] = "scheduler"
    enabled: bool = True


@dataclass(frozen=True)
class Notification:
    """What the bucket tells a function: ``events`` as S3 names them, ``s3:ObjectCreated:*``."""

    function: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True)
class Blueprint:
    """All of it. The first of ``doors`` is the CDN's origin; ``notes`` say what a template has that is not emulated.

    ``distribution`` None: one by the project's own settings.
    """

    functions: Mapping[str, Function]
    doors: tuple[Door, ...]
    distribution: Distribution | None = None
    queues: tuple[Queue, ...] = ()
    mappings: tuple[QueueMapping, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    notifications: tuple[Notification, ...] = ()
    notes: tuple[str, ...] = ()
