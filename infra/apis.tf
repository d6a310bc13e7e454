resource "google_project_service" "this" {
  for_each = toset(concat([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    ],
    var.split ? ["compute.googleapis.com"] : [],
    local.vertex_project == var.project ? ["aiplatform.googleapis.com"] : [],
  ))

  project = var.project
  service = each.value
  # Others in the project may use it.
  disable_on_destroy = false
}
