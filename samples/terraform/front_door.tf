# The front door, one of three; each leads to the version that has the alias.

locals {
  web      = aws_lambda_alias.live["web"]
  http_api = var.front_door == "http_api" ? 1 : 0
  rest_api = var.front_door == "rest_api" ? 1 : 0
  url      = var.front_door == "function_url" ? 1 : 0

  front_door_url = one(concat(
    aws_apigatewayv2_api.site[*].api_endpoint,
    aws_api_gateway_stage.live[*].invoke_url,
    [for url in aws_lambda_function_url.site : trimsuffix(url.function_url, "/")],
  ))
}

resource "aws_apigatewayv2_api" "site" {
  count         = local.http_api
  name          = var.name
  protocol_type = "HTTP"
  target        = local.web.arn # which makes a route for all paths, and a stage
}

resource "aws_api_gateway_rest_api" "site" {
  count              = local.rest_api
  name               = var.name
  binary_media_types = ["*/*"]

  body = jsonencode({
    openapi = "3.0.1"
    info    = { title = var.name, version = "1" }
    paths = {
      for path in ["/", "/{proxy+}"] : path => {
        x-amazon-apigateway-any-method = {
          x-amazon-apigateway-integration = {
            type                 = "aws_proxy"
            httpMethod           = "POST"
            uri                  = "arn:${local.aws}:apigateway:${local.region}:lambda:path/2021-11-15/functions/${local.web.arn}/response-streaming-invocations"
            responseTransferMode = "STREAM"
            timeoutInMillis      = 300000
          }
        }
      }
    }
  })

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_deployment" "site" {
  count       = local.rest_api
  rest_api_id = aws_api_gateway_rest_api.site[0].id
  triggers    = { body = sha256(aws_api_gateway_rest_api.site[0].body) }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "live" {
  count         = local.rest_api
  rest_api_id   = aws_api_gateway_rest_api.site[0].id
  deployment_id = aws_api_gateway_deployment.site[0].id
  stage_name    = "live"
}

resource "aws_lambda_permission" "api" {
  count         = local.http_api + local.rest_api
  function_name = local.web.function_name
  qualifier     = local.web.name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${one(concat(aws_apigatewayv2_api.site[*].execution_arn, aws_api_gateway_rest_api.site[*].execution_arn))}/*"
}

resource "aws_lambda_function_url" "site" {
  count              = local.url
  function_name      = local.web.function_name
  qualifier          = local.web.name
  authorization_type = "NONE"
  invoke_mode        = "RESPONSE_STREAM"
}

# A URL needs this one and the next: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
resource "aws_lambda_permission" "url" {
  count                  = local.url
  function_name          = local.web.function_name
  qualifier              = local.web.name
  action                 = "lambda:InvokeFunctionUrl"
  function_url_auth_type = "NONE"
  principal              = "*"
}

# aws_lambda_permission learnt invoked_via_function_url in a later version of the provider than 5.100.
resource "aws_cloudcontrolapi_resource" "url_invoke_permission" {
  count     = local.url
  type_name = "AWS::Lambda::Permission"

  desired_state = jsonencode({
    FunctionName          = local.web.arn
    Action                = "lambda:InvokeFunction"
    InvokedViaFunctionUrl = true
    Principal             = "*"
  })
}
