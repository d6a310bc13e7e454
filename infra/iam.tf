# A service account for each function, and for whoever calls one; roles.json says what each may do, and on what.

locals {
  accounts = [for name in keys(local.roles) : name if !contains(keys(local.functions), name) || contains(keys(local.deployed), name)]
  emails   = merge({ for name, account in google_service_account.this : name => account.email }, var.service_accounts)

  vertex_project = try(local.settings["VERTEX_PROJECT"], "")
  grants = {
    for grant in flatten([
      for name in local.accounts : [for role in local.roles[name] : merge(role, { account = name })]
    ]) : "${grant.account} ${grant.role} ${grant.on}" => grant if grant.on != "vertex" || local.vertex_project != ""
  }

  # Known before a function is: Cloud Run takes it as an audience beside the address with a hash.
  audiences = {
    for name, function in local.functions :
    name => "https://${var.name}-${name}-${data.google_project.this.number}.${var.region}.run.app"
  }
}

resource "google_service_account" "this" {
  for_each = toset([for name in local.accounts : name if !contains(keys(var.service_accounts), name)])

  project      = var.project
  account_id   = "${var.name}-${each.value}"
  display_name = "${var.name}: ${each.value}"

  depends_on = [google_project_service.this]
}

# No other database of the project.
resource "google_project_iam_member" "database" {
  for_each = { for key, grant in local.grants : key => grant if grant.on == "database" }

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"

  condition {
    title      = "${var.name}-database"
    expression = "resource.name == \"projects/${var.project}/databases/${var.database}\""
  }
}

resource "google_project_iam_member" "project" {
  for_each = { for key, grant in local.grants : key => grant if contains(["project", "vertex"], grant.on) }

  project = each.value.on == "vertex" ? local.vertex_project : var.project
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"
}

resource "google_pubsub_topic_iam_member" "this" {
  for_each = { for key, grant in local.grants : key => grant if contains(["jobs", "events"], grant.on) }

  project = var.project
  topic   = each.value.on == "jobs" ? google_pubsub_topic.this["jobs"].name : google_pubsub_topic.events.name
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"
}

resource "google_cloud_run_service_iam_member" "invokers" {
  for_each = { for key, grant in local.grants : key => grant if contains(keys(local.functions), grant.on) }

  project  = var.project
  location = var.region
  service  = google_cloudfunctions2_function.this[each.value.on].name
  role     = each.value.role
  member   = "serviceAccount:${local.emails[each.value.account]}"
}

resource "google_cloud_run_service_iam_member" "public" {
  for_each = { for name, function in local.deployed : name => function if var.public && function.caller == "public" }

  project  = var.project
  location = var.region
  service  = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
