# What time does, each minute.
resource "google_cloud_scheduler_job" "sweeper" {
  project  = var.project
  region   = var.region
  name     = "${var.name}-sweeper"
  schedule = "* * * * *"
  # Less than the function may run; a sweep that takes longer goes on beside the next one, which is safe.
  attempt_deadline = "180s"

  # The next minute is the retry.
  retry_config {
    retry_count = 0
  }
  http_target {
    uri         = google_cloudfunctions2_function.this["sweeper"].service_config[0].uri
    http_method = "POST"
    oidc_token {
      service_account_email = local.emails["scheduler"]
      audience              = local.audiences["sweeper"]
    }
  }

  depends_on = [google_project_service.this]
}
