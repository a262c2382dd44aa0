# Jobs and the schedule, both run by the worker.

resource "aws_sqs_queue" "jobs" {
  name                       = "${var.name}-jobs"
  visibility_timeout_seconds = 1800 # six times what the worker may take, as AWS advises
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_jobs.arn, maxReceiveCount = 5 })
}

resource "aws_sqs_queue" "dead_jobs" {
  name                      = "${var.name}-dead-jobs"
  message_retention_seconds = 1209600
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn        = aws_sqs_queue.jobs.arn
  function_name           = aws_lambda_alias.live["worker"].arn
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 10 # batches at once, each with a database connection
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "nightly" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_alias.live["worker"].arn]
  }
}

resource "aws_iam_role" "nightly" {
  name               = "${var.name}-${local.region}-nightly"
  assume_role_policy = data.aws_iam_policy_document.scheduler.json
}

resource "aws_iam_role_policy" "nightly" {
  name   = "worker"
  role   = aws_iam_role.nightly.id
  policy = data.aws_iam_policy_document.nightly.json
}

resource "aws_scheduler_schedule" "nightly" {
  name                = "${var.name}-nightly"
  schedule_expression = "cron(0 3 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live["worker"].arn
    role_arn = aws_iam_role.nightly.arn
    input    = jsonencode({ manage = ["clearsessions"], schedule = "nightly" })
  }
}
