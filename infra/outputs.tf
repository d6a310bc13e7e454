output "url" {
  description = "Where the service is."
  value       = var.split ? "https://${var.domain}" : google_cloudfunctions2_function.this["api"].service_config[0].uri
}

output "database" {
  description = "The Firestore database."
  value       = var.database
}

output "console" {
  description = "Whether the console is at the url."
  value       = var.console
}

output "auth_mode" {
  description = "Which credentials are accepted."
  value       = local.settings["AUTH_MODE"]
}

output "configured_providers" {
  description = "Providers whose models can be used."
  value       = local.configured_providers
}

output "unavailable_providers" {
  description = "Providers whose models answer 503, and the setting that each needs."
  value       = { for name, needed in local.provider_needs : name => needed if !contains(local.configured_providers, name) }
}

output "ip_address" {
  description = "What the domain's A record must be, with split."
  value       = one(google_compute_global_address.this[*].address)
}

output "submission_topics" {
  description = "The topics of those who publish jobs."
  value       = { for key, queue in local.submissions : trimprefix(key, "submissions-") => queue.topic }
}

output "service_accounts" {
  description = "As whom each function, and each caller, runs."
  value       = local.emails
}
