variable "alert_email" {
  description = "Who is told of alerts; without it, and without notification_channels, they are only shown in the console."
  type        = string
  default     = null
}

variable "notification_channels" {
  description = "Notification channels of yours that are told of alerts, too, each by its full name."
  type        = list(string)
  default     = []
}

variable "alert_thresholds" {
  description = "Thresholds in place of those in alerts.json, by the name of the alert: { cost = 100 }."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.alert_thresholds) : can(local.alerts[name])])
    error_message = "alert_thresholds names an alert that is not in alerts.json: ${join(", ", [for name in keys(var.alert_thresholds) : name if !can(local.alerts[name])])}."
  }
}

variable "runbook_url" {
  description = "Where infra/RUNBOOK.md can be read; alerts link it."
  type        = string
  default     = null
}

variable "billing_account" {
  description = "The billing account, for a budget; needs monthly_budget."
  type        = string
  default     = null

  validation {
    condition     = (var.billing_account == null) == (var.monthly_budget == null)
    error_message = "billing_account and monthly_budget go together: give both or neither."
  }
}

variable "monthly_budget" {
  description = "What this project may cost a month on Google Cloud, models of Vertex AI included, in the currency of the billing account; it warns and stops nothing."
  type        = number
  default     = null
}
