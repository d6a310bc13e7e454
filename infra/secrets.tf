# A secret for each secret setting. Versions are added by hand, so that no key is in Terraform's state.

resource "google_secret_manager_secret" "this" {
  for_each = toset(local.secret_names)

  project   = var.project
  secret_id = "${var.name}-${lower(replace(each.value, "_", "-"))}"

  replication {
    dynamic "auto" {
      for_each = var.kms_key_name == null ? [true] : []
      content {}
    }
    # A key of one region encrypts only what is there.
    dynamic "user_managed" {
      for_each = var.kms_key_name == null ? [] : [var.kms_key_name]
      content {
        replicas {
          location = var.region
          customer_managed_encryption {
            kms_key_name = user_managed.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.this]
}

# Each function reads those that environment.json gives it.
resource "google_secret_manager_secret_iam_member" "this" {
  for_each = merge([
    for name in local.secret_names : {
      for function in local.environment[name].functions : "${function} ${name}" => { function = function, secret = name }
      if contains(keys(local.deployed), function)
    }
  ]...)

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.emails[each.value.function]}"
}
