"""What to do about failures that are known: the text they come with, and the remedy.

The texts are those of AWS, PostgreSQL and Django. The source of each entry shows it, or explains what is behind it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Solution(NamedTuple):
    """``pattern`` is searched for in a failure's text; ``remedy`` is for the person at the terminal."""

    pattern: str
    remedy: str
    source: str


SOLUTIONS = (
    Solution(
        r"does not match the current version in AppSpec",
        "Somebody has moved the alias of a function since the stack was last changed. Run django-faas deploy again: it "
        "tells the stack where the alias is before anything else.",
        "https://github.com/aws/serverless-application-model/issues/291",
    ),
    Solution(
        r"conflicting deployment is in progress",
        "CodeDeploy is still at work on an earlier deployment of this function. Wait for its end in CodeDeploy's "
        "console (or stop it there, with a rollback), then deploy again.",
        "https://github.com/aws/serverless-application-model/issues/291",
    ),
    Solution(
        r"does not give you permission to perform operations in the following AWS service: AWSLambda",
        "CodeDeploy may call only functions whose names begin with CodeDeployHook_. Give the migration function such a "
        "FunctionName, as django-faas's own template does.",
        "https://github.com/aws/serverless-application-model/issues/219",
    ),
    Solution(
        r"_IN_PROGRESS state and can ?not be updated",
        "Another deploy of this stage is under way, perhaps by CI. Wait until django-faas status shows no more "
        "IN_PROGRESS, then deploy again.",
        "https://github.com/aws/aws-cli/issues/6216",
    ),
    Solution(
        r"UPDATE_ROLLBACK_FAILED",
        "CloudFormation could not go all the way back. Remove what its last events complain of, then run: aws "
        "cloudformation continue-update-rollback --stack-name STACK",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-continueupdaterollback.html",
    ),
    Solution(
        r"TerminationProtection is enabled",
        "The stack is protected from deletion. If it is to go: aws cloudformation update-termination-protection "
        "--no-enable-termination-protection --stack-name STACK",
        "https://github.com/ekristen/aws-nuke/issues/821",
    ),
    Solution(
        r"The bucket you tried to delete is not empty",
        "The template lets CloudFormation delete a bucket that has files. Empty it (aws s3 rm --recursive "
        "s3://BUCKET), or give it DeletionPolicy: Retain, and run the command again.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html",
    ),
    Solution(
        r"InsufficientCapabilities|Requires capabilities ?: ?\[CAPABILITY_NAMED_IAM\]",
        "The template gives a role a name of its own (RoleName), which this command does not allow, as it would let a "
        "template take over a role. Take the name out.",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html",
    ),
    Solution(
        r"Unzipped size must be smaller than",
        "The package is over Lambda's 250 MB. See what is large in the report of django-faas build and leave it out "
        "(.faasignore, fewer requirements), or deploy a container image.",
        "https://github.com/axa-group/nlp.js-app/issues/80",
    ),
    Solution(
        r"Code storage limit exceeded",
        "All versions of all functions in this region may take 75 GB together. Delete old versions (aws lambda "
        "delete-function --function-name NAME --qualifier VERSION), or ask for more in Service Quotas.",
        "https://github.com/serverless/serverless/issues/5194",
    ),
    Solution(
        r"environment variables you have provided exceeded the 4KB limit",
        "All variables of a function may have 4 KB together. Move those of [stages.<stage>.variables] in faas.toml to "
        "django-faas env set, which keeps them outside of the function.",
        "https://github.com/aws-samples/aws-genai-llm-chatbot/issues/583",
    ),
    Solution(
        r"decreases account's UnreservedConcurrentExecution below its minimum",
        "The account's concurrency does not allow for this ReservedConcurrency; new accounts often have 10 in all. Set "
        "the parameter to 0, and ask for more concurrent executions in Service Quotas.",
        "https://github.com/aws-samples/alarm-context-tool/issues/2",
    ),
    Solution(
        r"'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to 3008",
        "A new account gets functions of up to 3,008 MB. Set MemorySize to 3008 or less, or ask AWS's support.",
        "https://github.com/awslabs/genai-bedrock-agent-chatbot/issues/4",
    ),
    Solution(
        r"role defined for the function cannot be assumed by Lambda",
        "IAM had not spread the new role yet. Deploy again.",
        "https://github.com/nficano/python-lambda/issues/28",
    ),
    Solution(
        r"does not have permissions to call CreateNetworkInterface",
        "A function in a VPC needs the managed policy AWSLambdaVPCAccessExecutionRole on its role, and no service "
        "control policy that forbids it.",
        "https://github.com/aws/aws-sam-cli/issues/617",
    ),
    Solution(
        r"account must be verified before you can add new CloudFront resources",
        "AWS wants to verify a new account before it may use CloudFront: open a case with AWS's support, quote this "
        "message, and deploy again once they have answered.",
        "https://github.com/aws-samples/aws-cdk-examples/issues/279",
    ),
    Solution(
        r"CNAMEs you provided are already associated with a different resource",
        "Another distribution, perhaps in another account, has the DomainName. Take it away there (or move it with aws "
        "cloudfront associate-alias), then deploy again.",
        "https://github.com/aws-amplify/amplify-hosting/issues/2370",
    ),
    Solution(
        r"SSL certificate doesn't exist, isn't in us-east-1 region",
        "CloudFront takes certificates from us-east-1 alone, whatever the stack's region. Request the certificate "
        "there (aws acm request-certificate --region us-east-1), validate it, and set CertificateArn to its ARN.",
        "https://github.com/cloudposse/terraform-aws-cloudfront-s3-cdn/issues/55",
    ),
    Solution(
        r"already scheduled for deletion",
        "Secrets Manager keeps a deleted secret for some days, and its name with it. Delete it for good (aws "
        "secretsmanager delete-secret --force-delete-without-recovery --secret-id NAME), then deploy again.",
        "https://github.com/redpanda-data/console/issues/1835",
    ),
    Solution(
        r"is not authorized to perform: \S+|AccessDenied|lack a permission for",
        "Give the credentials that permission: docs/deploying.md lists what a deploy needs.",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    ),
    Solution(
        r"Runtime\.ImportModuleError|ModuleNotFoundError: No module named|No module named '",
        "The package lacks a module. Name its distribution in the project's requirements; if .faasignore keeps it out, "
        "take that line away. Then deploy again.",
        "https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-deployment.html",
    ),
    Solution(
        r"GLIBC_[\d.]+' not found|invalid ELF header|cannot open shared object file",
        "A compiled module was built for another system. Build with django-faas build, which takes wheels for the "
        "function's system, and see that architecture and python in faas.toml are those of the template.",
        "https://github.com/zappa/Zappa/issues/974",
    ),
    Solution(
        r"could not translate host name|[Nn]ame or service not known|nodename nor servname",
        "The database's host name leads nowhere from the function. Check DATABASE_URL (django-faas env get "
        "DATABASE_URL); a host that only a VPC knows needs VpcSubnetIds and VpcSecurityGroupIds.",
        "https://www.postgresql.org/docs/current/libpq-connect.html",
    ),
    Solution(
        r"connection timeout expired|[Cc]onnection timed out|timeout expired",
        "The function does not get through to the database. A private one needs VpcSubnetIds, and a "
        "security group that lets in those of VpcSecurityGroupIds; a public one needs to allow all addresses, or its "
        "pooler's.",
        "https://docs.aws.amazon.com/lambda/latest/dg/services-rds.html",
    ),
    Solution(
        r"password authentication failed",
        "The database refuses user or password. Set them anew: django-faas env set DATABASE_URL",
        "https://www.postgresql.org/docs/current/client-authentication-problems.html",
    ),
    Solution(
        r"permission denied for schema public",
        "From PostgreSQL 15 on, only a database's owner may make tables in it: ALTER DATABASE name OWNER TO user, or "
        "GRANT CREATE ON SCHEMA public TO user.",
        "https://www.postgresql.org/docs/release/15.0/",
    ),
    Solution(
        r"too many connections|remaining connection slots are reserved",
        "The database is out of connections. Set ReservedConcurrency to fewer than it allows, or connect through a "
        "pooler: docs/databases.md",
        "https://www.postgresql.org/docs/current/runtime-config-connection.html",
    ),
    Solution(
        r"NodeNotFoundError|Conflicting migrations detected|InconsistentMigrationHistory",
        "The migrations themselves do not fit together. Run manage.py makemigrations --check (and --merge) here, "
        "commit what it makes, and deploy again.",
        "https://docs.djangoproject.com/en/stable/topics/migrations/#version-control",
    ),
    Solution(
        r"Task timed out after|Status: timeout",
        "The function did not end in its time: a migration has 900 s. Split a long one, or make it wait for nothing: "
        "look for locks in the database, and for a network call in the settings.",
        "https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html",
    ),
    Solution(
        r"answers 400\b",
        "Django refuses the site's host name, as a rule: set the parameter AllowedHosts, or DomainName, for the stage, "
        "and deploy again. The log says so: django-faas logs --errors",
        "https://docs.djangoproject.com/en/stable/ref/settings/#allowed-hosts",
    ),
    Solution(
        r"answers 5\d\d\b",
        "See what the function says of it: django-faas logs --errors --since 10m",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/troubleshooting-response-errors.html",
    ),
)


def remedy(failure: str) -> str | None:
    """What to do about a failure with this text; None for one that is not known."""
    return next((known.remedy for known in SOLUTIONS if re.search(known.pattern, failure)), None)
