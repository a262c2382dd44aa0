# The parameters of infra/template.yaml under their names, and what CloudFormation knows by itself: a name and the code.

variable "name" {
  description = "What the site and its stage are called; all names of resources begin with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,48}$", var.name))
    error_message = "Small letters, digits and dashes, no more than 49: names of functions end with more."
  }
}

variable "package" {
  description = "The zip that django-faas build makes."
  type        = string
  default     = "dist/function.zip"
}

variable "settings_module" {
  description = "Django's settings on the functions."
  type        = string
  default     = "mysite.settings_faas"
}

variable "interface" {
  type    = string
  default = "wsgi"

  validation {
    condition     = contains(["wsgi", "asgi"], var.interface)
    error_message = "It can be wsgi or asgi."
  }
}

variable "front_door" {
  description = "The last two stream."
  type        = string
  default     = "http_api"

  validation {
    condition     = contains(["http_api", "function_url", "rest_api"], var.front_door)
    error_message = "It can be http_api, function_url or rest_api."
  }
}

variable "python_version" {
  type    = string
  default = "3.13"
}

variable "architecture" {
  type    = string
  default = "arm64"
}

variable "memory_size" {
  description = "MB; 1769 come with one whole processor."
  type        = number
  default     = 1769
}

variable "snap_start" {
  description = "Boot from a snapshot: costs extra, and needs Python 3.12 or newer."
  type        = bool
  default     = false
}

variable "reserved_concurrency" {
  description = "Requests at once, each with a database connection; 0: any number."
  type        = number
  default     = 0
}

variable "domain_name" {
  description = "The site's domains, the main one first; none: CloudFront's own."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ACM's certificate for domain_name, in us-east-1."
  type        = string
  default     = ""
}

variable "allowed_hosts" {
  description = "Hosts that Django answers to; none: domain_name."
  type        = list(string)
  default     = []
}

variable "vpc_subnet_ids" {
  description = "Subnets that lead to the database; none: no VPC."
  type        = list(string)
  default     = []
}

variable "vpc_security_group_ids" {
  description = "The functions' security groups there."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  type    = number
  default = 30
}

variable "alarm_email" {
  description = "Who is told of alarms; empty: nobody."
  type        = string
  default     = ""
}

variable "smoke_path" {
  description = "A page that a new version has to answer before it gets visitors."
  type        = string
  default     = "/"
}

variable "environment_version" {
  description = "Change it with a secret in Parameter Store, so that there are new versions that read it."
  type        = string
  default     = ""
}
