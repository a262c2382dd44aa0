# What the functions may do. What your project needs besides belongs into aws_iam_policy_document.access.

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "access" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.site.arn}:*"]
  }

  statement { # of the path as it is asked for, without its last slash
    actions   = ["ssm:GetParametersByPath"]
    resources = ["arn:${local.aws}:ssm:${local.region}:${local.account}:parameter/${var.name}"]
  }

  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.jobs.arn]
  }

  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.site.arn}/media/*"]
  }

  statement { # or a file that is not there would be a 403
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.site.arn]
  }

  dynamic "statement" { # network interfaces have no name before they are made
    for_each = length(var.vpc_subnet_ids) > 0 ? [1] : []
    content {
      actions = [
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface",
        "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]
    }
  }
}

data "aws_iam_policy_document" "jobs" {
  statement {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.jobs.arn]
  }
}

resource "aws_iam_policy" "access" {
  name   = "${var.name}-${local.region}"
  policy = data.aws_iam_policy_document.access.json
}

resource "aws_iam_role" "function" {
  for_each           = toset(["web", "worker"])
  name               = "${var.name}-${local.region}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy_attachment" "access" {
  for_each   = aws_iam_role.function
  role       = each.value.name
  policy_arn = aws_iam_policy.access.arn
}

resource "aws_iam_role_policy" "jobs" {
  name   = "jobs"
  role   = aws_iam_role.function["worker"].id
  policy = data.aws_iam_policy_document.jobs.json
}

# Made once, and kept in Terraform's state: who may read that may read them.
data "aws_secretsmanager_random_password" "made" {
  for_each            = toset(["secret-key", "origin-secret"])
  password_length     = 64
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "made" {
  for_each    = toset(["secret-key", "origin-secret"])
  name_prefix = "${var.name}-${each.key}-"
}

resource "aws_secretsmanager_secret_version" "made" {
  for_each      = aws_secretsmanager_secret.made
  secret_id     = each.value.id
  secret_string = data.aws_secretsmanager_random_password.made[each.key].random_password

  lifecycle {
    ignore_changes = [secret_string]
  }
}

locals {
  origin_secret = aws_secretsmanager_secret_version.made["origin-secret"].secret_string
}
