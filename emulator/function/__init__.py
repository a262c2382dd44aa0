"""The function service: processes that speak the Lambda Runtime API, reused while they are warm."""
