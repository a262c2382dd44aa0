"""Known failures: each text finds its remedy."""

from __future__ import annotations

import pytest

from infra.solutions import SOLUTIONS, remedy

# As they were seen, shortened; the sources are beside the patterns.
SEEN = [
    "invalid configuration. The Lambda function alias version does not match the current version in AppSpec file.",
    "UPDATE_FAILED AWS::Lambda::Alias A conflicting deployment is in progress",
    "The IAM role does not give you permission to perform operations in the following AWS service: AWSLambda.",
    "Stack:arn:aws:cloudformation:eu-central-1:1:stack/shop is in UPDATE_IN_PROGRESS state and can not be updated.",
    "The stack shop-production is in UPDATE_ROLLBACK_FAILED.",
    "Stack [shop-production] cannot be deleted while TerminationProtection is enabled",
    "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    "Unzipped size must be smaller than 262144000 bytes (Service: Lambda, Status Code: 400)",
    "Code storage limit exceeded. (Service: Lambda, Status Code: 400)",
    "because the environment variables you have provided exceeded the 4KB limit. String measured: ...",
    "Specified ReservedConcurrentExecutions decreases account's UnreservedConcurrentExecution below its minimum value",
    "'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008",
    "The role defined for the function cannot be assumed by Lambda.",
    "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
    "Your account must be verified before you can add new CloudFront resources.",
    "One or more of the CNAMEs you provided are already associated with a different resource.",
    "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or ...",
    "You can't create this secret because a secret with this name is already scheduled for deletion.",
    "User: arn:aws:iam::1:user/ada is not authorized to perform: cloudformation:CreateChangeSet on resource: ...",
    "Runtime.ImportModuleError: Unable to import module 'adapter.entrypoint'",
    "ImportError: /lib64/libc.so.6: version `GLIBC_2.28' not found",
    'could not translate host name "db.internal" to address: Name or service not known',
    "psycopg.errors.ConnectionTimeout: connection timeout expired",
    'FATAL:  password authentication failed for user "shop"',
    "psycopg.errors.InsufficientPrivilege: permission denied for schema public",
    "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute",
    "CommandError: Conflicting migrations detected; multiple leaf nodes in the migration graph",
    "2026-01-01T00:00:00Z 1234 Task timed out after 900.00 seconds",
    "https://d111111abcdef8.cloudfront.net/ answers 400 Bad Request",
    "https://d111111abcdef8.cloudfront.net/ answers 502 Bad Gateway",
]


@pytest.mark.parametrize("number", range(len(SOLUTIONS)), ids=lambda number: SOLUTIONS[number].pattern[:40])
def test_each_text_finds_its_own_remedy(number: int) -> None:
    assert remedy(SEEN[number]) == SOLUTIONS[number].remedy
    assert SOLUTIONS[number].source.startswith("https://")


def test_what_is_not_known_has_none() -> None:
    assert len(SEEN) == len(SOLUTIONS)
    assert remedy("Something else entirely") is None
