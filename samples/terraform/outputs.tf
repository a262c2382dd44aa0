# The outputs of infra/template.yaml, under their names.

output "site_url" {
  value = "https://${length(var.domain_name) > 0 ? var.domain_name[0] : aws_cloudfront_distribution.site.domain_name}"
}

output "distribution_id" {
  value = aws_cloudfront_distribution.site.id
}

output "distribution_domain" {
  value = aws_cloudfront_distribution.site.domain_name
}

output "static_bucket" {
  value = aws_s3_bucket.site.id
}

output "media_bucket" {
  value = aws_s3_bucket.site.id
}

output "web_function" {
  value = aws_lambda_function.function["web"].function_name
}

output "worker_function" {
  value = aws_lambda_function.function["worker"].function_name
}

output "console_function" {
  value = aws_lambda_function.function["console"].function_name
}

output "migrate_function" {
  value = aws_lambda_function.function["migrate"].function_name
}

output "jobs_queue_url" {
  value = aws_sqs_queue.jobs.url
}

output "dead_jobs_queue_url" {
  value = aws_sqs_queue.dead_jobs.url
}
