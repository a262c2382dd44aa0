# Four functions of one package. Each apply publishes what has changed; the web function's alias moves once migrations
# have run with the new code and a page of the new version has been seen. Jobs and the console follow.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.name
  aws     = data.aws_partition.current.partition

  streams = var.front_door != "http_api"
  hosts   = length(var.allowed_hosts) > 0 ? var.allowed_hosts : length(var.domain_name) > 0 ? var.domain_name : [".cloudfront.net"]

  environment = {
    DJANGO_SETTINGS_MODULE   = var.settings_module
    DJANGO_SECRET_KEY        = aws_secretsmanager_secret_version.made["secret-key"].secret_string
    DJANGO_ALLOWED_HOSTS     = join(",", local.hosts)
    FAAS_INTERFACE           = var.interface
    FAAS_ORIGIN_SECRET       = local.origin_secret
    FAAS_TRUSTED_PROXIES     = "1" # CloudFront, which adds the visitor's address to X-Forwarded-For
    FAAS_SECRETS_PATH        = "/${var.name}/"
    FAAS_JOBS_QUEUE_URL      = aws_sqs_queue.jobs.url
    FAAS_MEDIA_BUCKET        = aws_s3_bucket.site.id
    FAAS_SITE_URL            = length(var.domain_name) > 0 ? "https://${var.domain_name[0]}" : ""
    FAAS_ENVIRONMENT_VERSION = var.environment_version
  }

  web_environment = merge(
    {
      FAAS_INVOKE_MODE = local.streams ? "response_stream" : "buffered"
      FAAS_ORIGIN_PATH = var.front_door == "rest_api" ? "/live" : ""
    },
    # AWS's own runtime can't stream.
    local.streams ? { AWS_LAMBDA_EXEC_WRAPPER = "/var/task/adapter/runtime/exec_wrapper" } : {},
  )

  functions = {
    # An HTTP API gives up after 30 s; by then the log says where Django was.
    web     = { role = "web", timeout = local.streams ? 300 : 28, environment = local.web_environment }
    worker  = { role = "worker", timeout = 300, environment = {} }
    console = { role = "web", timeout = 900, environment = { FAAS_PRIME = "off" } }
    migrate = { role = "web", timeout = 900, environment = { FAAS_PRIME = "off" } }
  }
}

resource "aws_s3_object" "package" {
  bucket = aws_s3_bucket.site.id
  key    = "packages/${filesha256(var.package)}.zip"
  source = var.package
}

resource "aws_cloudwatch_log_group" "site" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "function" {
  for_each                       = local.functions
  function_name                  = "${var.name}-${each.key}"
  s3_bucket                      = aws_s3_object.package.bucket
  s3_key                         = aws_s3_object.package.key
  source_code_hash               = filebase64sha256(var.package)
  handler                        = "adapter.entrypoint.handler"
  runtime                        = "python${var.python_version}"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = each.value.timeout
  role                           = aws_iam_role.function[each.value.role].arn
  publish                        = true
  reserved_concurrent_executions = each.key == "web" && var.reserved_concurrency > 0 ? var.reserved_concurrency : -1

  environment {
    variables = merge(local.environment, each.value.environment)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.site.name
  }

  dynamic "snap_start" {
    for_each = each.key == "web" && var.snap_start ? [1] : []
    content {
      apply_on = "PublishedVersions"
    }
  }

  dynamic "vpc_config" {
    for_each = length(var.vpc_subnet_ids) > 0 ? [1] : []
    content {
      subnet_ids         = var.vpc_subnet_ids
      security_group_ids = var.vpc_security_group_ids
    }
  }

  depends_on = [aws_iam_role_policy_attachment.access, aws_iam_role_policy.jobs]
}

# Both of these stop the apply where they fail: the aliases stay, and the version before goes on serving.
resource "aws_lambda_invocation" "migrate" {
  function_name = aws_lambda_function.function["migrate"].function_name
  qualifier     = aws_lambda_function.function["migrate"].version
  input         = jsonencode({ manage = ["migrate", "--noinput"] })
  triggers      = { version = aws_lambda_function.function["web"].version }

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.result).exit, 1) == 0
      error_message = "migrate has failed: ${try(jsondecode(self.result).output, self.result)}"
    }
  }
}

resource "aws_lambda_invocation" "smoke" {
  function_name = aws_lambda_function.function["web"].function_name
  qualifier     = aws_lambda_function.function["web"].version
  triggers      = { version = aws_lambda_function.function["web"].version }

  input = jsonencode({
    version        = "2.0"
    routeKey       = "$default"
    rawPath        = var.smoke_path
    rawQueryString = ""
    headers = {
      host             = trimprefix(local.hosts[0], ".")
      x-forwarded-host = trimprefix(local.hosts[0], ".")
      x-origin-verify  = local.origin_secret
    }
    requestContext = {
      http      = { method = "GET", path = var.smoke_path, protocol = "HTTP/1.1", sourceIp = "127.0.0.1", userAgent = "terraform" }
      requestId = "terraform"
      stage     = "$default"
    }
    isBase64Encoded = false
  })

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.result).statusCode, 500) < 400
      error_message = "${var.smoke_path} of the new version is answered with ${try(jsondecode(self.result).statusCode, self.result)}."
    }
  }

  depends_on = [aws_lambda_invocation.migrate]
}

resource "aws_lambda_alias" "live" {
  for_each         = local.functions
  name             = "live"
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = aws_lambda_function.function[each.key].version

  depends_on = [aws_lambda_invocation.smoke]
}
