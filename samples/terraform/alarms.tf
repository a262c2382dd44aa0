resource "aws_sns_topic" "alarms" {
  count = var.alarm_email != "" ? 1 : 0
  name  = "${var.name}-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email != "" ? 1 : 0
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  alarms = {
    server-errors = merge({ statistic = "Sum", threshold = 5 }, {
      http_api     = { namespace = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = one(aws_apigatewayv2_api.site[*].id) } }
      rest_api     = { namespace = "AWS/ApiGateway", metric = "5XXError", dimensions = { ApiName = var.name } }
      function_url = { namespace = "AWS/Lambda", metric = "Url5xxCount", dimensions = { FunctionName = "${var.name}-web" } }
    }[var.front_door])
    worker-errors = { # a scheduled command failed, or a worker broke off
      namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 1
      dimensions = { FunctionName = aws_lambda_function.function["worker"].function_name }
    }
    lost-jobs = { # a job failed five times
      namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", threshold = 1
      dimensions = { QueueName = aws_sqs_queue.dead_jobs.name }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = aws_sns_topic.alarms[*].arn
}
