# The functions, of the bundles that `npm run build` makes.

locals {
  # What environment.json calls a resource, for each function.
  resources = {
    for name, function in local.deployed : name => {
      audience             = local.audiences[name]
      concurrency          = tostring(function.concurrency)
      configured_providers = join(",", local.configured_providers)
      console              = tostring(var.console)
      database             = var.database
      events_topic         = var.publish_events ? google_pubsub_topic.events.name : ""
      invokers             = function.caller == "public" ? "iam" : local.emails[function.caller]
      jobs_topic           = google_pubsub_topic.this["jobs"].name
      project              = var.project
      submissions_topic    = google_pubsub_topic.this["submissions-default"].name
      trusted_proxies      = var.split ? "2" : "1"
    }
  }
  given = { for name, row in local.environment : name => row if can(row.functions) }
  plain = {
    for function in keys(local.deployed) : function => merge(
      {
        for name, row in local.given : name => local.resources[function][row.resource]
        if row.from == "resource" && contains(row.functions, function)
      },
      {
        for name, row in local.given : name => local.settings[name]
        if row.from == "setting" && contains(row.functions, function) && can(local.settings[name])
      },
      # The platform sets it, and would be told to take it away again each time.
      { LOG_EXECUTION_ID = "true" },
      # What the bundle's script gcp-build filled while the function was built.
      { NODE_COMPILE_CACHE = "/workspace/compile-cache" },
    )
  }
}

resource "google_storage_bucket" "sources" {
  project                     = var.project
  name                        = "${var.project}-${var.name}-sources"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Only what can be built again.
  force_destroy = true

  dynamic "encryption" {
    for_each = var.kms_key_name == null ? [] : [var.kms_key_name]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.this]
}

data "archive_file" "bundle" {
  for_each = local.deployed

  type        = "zip"
  source_dir  = "${path.module}/../.build/${each.key}"
  output_path = "${path.module}/../.build/${each.key}.zip"
}

resource "google_storage_bucket_object" "bundle" {
  for_each = local.deployed

  bucket = google_storage_bucket.sources.name
  # Another name for other content: else a function would not notice.
  name   = "${each.key}-${data.archive_file.bundle[each.key].output_sha256}.zip"
  source = data.archive_file.bundle[each.key].output_path
}

# A grant takes about a minute until it holds everywhere: before that, the first build may not read its sources.
resource "time_sleep" "granted" {
  create_duration = "60s"

  depends_on = [google_project_iam_member.project]
}

resource "google_cloudfunctions2_function" "this" {
  for_each = local.deployed

  project      = var.project
  location     = var.region
  name         = "${var.name}-${each.key}"
  kms_key_name = var.kms_key_name

  build_config {
    runtime           = var.runtime
    entry_point       = each.value.target
    service_account   = "projects/${var.project}/serviceAccounts/${local.emails["build"]}"
    docker_repository = var.docker_repository
    source {
      storage_source {
        bucket = google_storage_bucket.sources.name
        object = google_storage_bucket_object.bundle[each.key].name
      }
    }
  }

  service_config {
    available_memory                 = each.value.memory
    available_cpu                    = each.value.cpu
    timeout_seconds                  = each.value.timeout
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = lookup(var.min_instances, each.key, 0)
    max_instance_count               = lookup(var.max_instances, each.key, each.value.max_instances)
    service_account_email            = local.emails[each.key]
    # Pub/Sub and Cloud Scheduler of the same project count as internal where they call the run.app address.
    ingress_settings               = each.value.caller != "public" ? "ALLOW_INTERNAL_ONLY" : var.split ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_ALL"
    all_traffic_on_latest_revision = true
    environment_variables          = local.plain[each.key]
    # To what has only a private address, such as Memorystore's Redis.
    vpc_connector                 = var.vpc_connector
    vpc_connector_egress_settings = var.vpc_connector == null ? null : "PRIVATE_RANGES_ONLY"

    dynamic "secret_environment_variables" {
      for_each = { for name, version in var.secrets : name => version if contains(local.environment[name].functions, each.key) }
      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = google_secret_manager_secret.this[secret_environment_variables.key].secret_id
        version    = secret_environment_variables.value
      }
    }
  }

  depends_on = [time_sleep.granted, google_secret_manager_secret_iam_member.this]
}
