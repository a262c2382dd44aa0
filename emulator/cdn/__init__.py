"""The CDN in front of it all: a CloudFront distribution with one edge, which keeps what it may until told to forget.

`distribution.Cdn` answers requests; `invalidations.InvalidationApi` is how tools tell it that files have changed. The
rest are the rules, one module each: behaviours (which one is for a path), forwarding (what an origin hears), freshness
(how long an answer may be kept), cache, conditions (what is sent of a kept answer), compression, variants (files that
were compressed beforehand) and pages (the CDN's own error answers).
"""

from .behaviours import default_distribution
from .distribution import PATIENCE, Cdn
from .invalidations import InvalidationApi

__all__ = ["PATIENCE", "Cdn", "InvalidationApi", "default_distribution"]
