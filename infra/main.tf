# The service on Google Cloud, as a module: it names no provider configuration and no backend.

terraform {
  required_version = ">= 1.9"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
    # For google_project_service_identity alone, which the other does not have.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = "~> 7.0"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.12"
    }
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.4"
    }
  }
}

# It depends on nothing: read at the plan, so that the number is known there. What is made of an unknown one is replaced, and
# the grants of Pub/Sub's agent would be gone meanwhile.
data "google_project" "this" {
  project_id = var.project
}

locals {
  # Read by the tests of the code, too.
  environment = jsondecode(file("${path.module}/environment.json"))
  functions   = jsondecode(file("${path.module}/functions.json"))
  roles       = jsondecode(file("${path.module}/roles.json"))

  # One door, or three behind a load balancer, and the console, which the one door has within.
  shapes   = ["always", var.split ? "split" : "whole", var.split && var.console ? "console" : ""]
  deployed = { for name, function in local.functions : name => function if contains(local.shapes, function.when) }

  setting_defaults = { for name, row in local.environment : name => row.default if can(row.default) }
  setting_names    = [for name, row in local.environment : name if try(row.from, "") == "setting"]
  secret_names     = [for name, row in local.environment : name if try(row.from, "") == "secret"]
  settings         = merge(local.setting_defaults, var.settings)

  # What each provider cannot do without.
  provider_needs = {
    openai            = "OPENAI_API_KEY"
    gemini            = "GEMINI_API_KEY"
    anthropic         = "ANTHROPIC_API_KEY"
    vertex            = "VERTEX_PROJECT"
    openai-compatible = "OPENAI_COMPATIBLE_BASE_URL"
  }
  has_value            = merge(local.settings, var.secrets)
  configured_providers = [for name, needed in local.provider_needs : name if try(local.has_value[needed], "") != ""]
}
