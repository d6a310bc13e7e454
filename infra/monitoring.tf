# What is measured of the log, and who is told of what: metrics.json and alerts.json say it.

locals {
  metrics = jsondecode(file("${path.module}/metrics.json"))
  alerts  = jsondecode(file("${path.module}/alerts.json"))

  # As PromQL calls them: the first slash is a colon, all else an underscore.
  metric_prefix = "logging_googleapis_com:user_${replace(var.name, "-", "_")}_"
  # Google's checks have no credentials: where not everybody may call, they are refused before they arrive.
  checked_host = var.split ? var.domain : trimprefix(google_cloudfunctions2_function.this["api"].service_config[0].uri, "https://")
  alerts_made  = { for name, alert in local.alerts : name => alert if var.public || !strcontains(alert.query, "$CHECK") }
  check_id     = var.public ? google_monitoring_uptime_check_config.health[0].uptime_check_id : ""

  alert_queries = {
    for name, alert in local.alerts_made : name => replace(replace(replace(replace(alert.query,
      "$METRIC_", local.metric_prefix),
      "$NAME", var.name),
      "$CHECK", local.check_id),
    "$THRESHOLD", tostring(lookup(var.alert_thresholds, name, alert.threshold)))
  }
  alert_channels = concat(google_monitoring_notification_channel.email[*].name, var.notification_channels)
}

resource "google_logging_metric" "this" {
  for_each = local.metrics

  project     = var.project
  name        = "${var.name}/${each.key}"
  description = each.value.description
  # Not every line of an event has the value.
  filter = join(" AND ", concat(
    ["resource.type=\"cloud_run_revision\"", "resource.labels.service_name=~\"^${var.name}-\""],
    can(each.value.event) ? ["jsonPayload.message=\"${each.value.event}\""] : [],
    can(each.value.severity) ? ["severity=${each.value.severity}"] : [],
    can(each.value.value) ? ["jsonPayload.${each.value.value}>=0"] : [],
  ))
  value_extractor  = can(each.value.value) ? "EXTRACT(jsonPayload.${each.value.value})" : null
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(jsonPayload.${field})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = can(each.value.value) ? "DISTRIBUTION" : "INT64"
    unit        = try(each.value.unit, "1")

    dynamic "labels" {
      for_each = each.value.labels
      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  dynamic "bucket_options" {
    for_each = can(each.value.buckets) ? [each.value.buckets] : []
    content {
      exponential_buckets {
        scale              = bucket_options.value.scale
        growth_factor      = bucket_options.value.growth
        num_finite_buckets = bucket_options.value.count
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = var.project
  display_name = "${var.name} alerts"
  type         = "email"
  labels       = { email_address = var.alert_email }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_uptime_check_config" "health" {
  count = var.public ? 1 : 0

  project      = var.project
  display_name = "${var.name} health"
  period       = "60s"
  timeout      = "10s"

  http_check {
    path         = "/health"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }
  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = local.checked_host }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts_made

  project               = var.project
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.alert_channels

  conditions {
    display_name = each.key
    condition_prometheus_query_language {
      query               = local.alert_queries[each.key]
      duration            = "${each.value.for_s}s"
      evaluation_interval = "60s"
      # A metric is unknown until its first line is written.
      disable_metric_validation = true
    }
  }
  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\n**What to do.** ${each.value.todo}\n\nRUNBOOK.md, Alerts: ${each.key}."

    dynamic "links" {
      for_each = var.runbook_url == null ? [] : [var.runbook_url]
      content {
        display_name = "Runbook"
        url          = "${links.value}#alerts"
      }
    }
  }
  alert_strategy {
    auto_close = "3600s"
  }

  depends_on = [google_logging_metric.this]
}

# An EventSource sends no headers, so that the token of one job is in its URL: that must not be in Google's log of requests.
resource "google_logging_project_exclusion" "tokens" {
  project     = var.project
  name        = "${var.name}-tokens"
  description = "Requests with a token in their URL"
  filter      = "resource.type=(\"cloud_run_revision\" OR \"http_load_balancer\") AND httpRequest.requestUrl:\"access_token=\""

  depends_on = [google_project_service.this]
}
