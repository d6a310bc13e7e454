# Warns of what the project costs, and stops nothing. The credentials need a quota project (user_project_override).

resource "google_project_service" "budget" {
  count = var.billing_account == null ? 0 : 1

  project            = var.project
  service            = "billingbudgets.googleapis.com"
  disable_on_destroy = false
}

resource "google_billing_budget" "this" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "${var.name} in ${var.project}"

  budget_filter {
    projects        = ["projects/${data.google_project.this.number}"]
    calendar_period = "MONTH"
  }
  amount {
    specified_amount {
      units = tostring(floor(var.monthly_budget))
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }
  # Without channels, those who pay are told.
  dynamic "all_updates_rule" {
    for_each = length(local.alert_channels) > 0 ? [local.alert_channels] : []
    content {
      monitoring_notification_channels = all_updates_rule.value
      disable_default_iam_recipients   = true
    }
  }

  depends_on = [google_project_service.budget]
}
