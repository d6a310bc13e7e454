# Doorbells, published submissions, what was given up of both, and events. Each publisher has a topic: what its messages
# say never tells whose they are.

locals {
  submissions = {
    for key, publisher in var.publishers : "submissions-${key}" => {
      topic = key == "default" ? "${var.name}-submissions" : "${var.name}-submissions-${key}"
      path  = "/submissions?tenant=${urlencode(publisher.tenant)}&user=${urlencode(publisher.user)}"
    }
  }
  queues       = merge({ jobs = { topic = var.name, path = "/" } }, local.submissions)
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Enabling the API does not make it, and nothing can be granted to whoever is not there.
resource "google_project_service_identity" "pubsub" {
  provider = google-beta

  project = var.project
  service = "pubsub.googleapis.com"

  depends_on = [google_project_service.this]
}

resource "google_pubsub_topic" "this" {
  for_each = local.queues

  project      = var.project
  name         = each.value.topic
  kms_key_name = var.kms_key_name

  depends_on = [google_project_service.this]
}

# A month: what its subscription lost after a week can still be sought back.
resource "google_pubsub_topic" "dead_letters" {
  for_each = local.queues

  project                    = var.project
  name                       = "${each.value.topic}-dead-letters"
  message_retention_duration = "2678400s"
  kms_key_name               = var.kms_key_name

  depends_on = [google_project_service.this]
}

# There before anything is published, so that whoever wants to hear it can subscribe first.
resource "google_pubsub_topic" "events" {
  project      = var.project
  name         = "${var.name}-events"
  kms_key_name = var.kms_key_name

  depends_on = [google_project_service.this]
}

# An attempt has 540 s; Pub/Sub knows no longer deadline than 600. Twenty deliveries: a bad hour of the store is no verdict.
resource "google_pubsub_subscription" "this" {
  for_each = local.queues

  project                    = var.project
  name                       = each.value.topic
  topic                      = google_pubsub_topic.this[each.key].id
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${google_cloudfunctions2_function.this["worker"].service_config[0].uri}${each.value.path}"
    oidc_token {
      service_account_email = local.emails["push"]
      audience              = local.audiences["worker"]
    }
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters[each.key].id
    max_delivery_attempts = 20
  }
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_service_account_iam_member.push_tokens]
}

# The end of the line: no dead letters of dead letters. They come again for a week, until the function takes them.
resource "google_pubsub_subscription" "dead_letters" {
  for_each = local.queues

  project                    = var.project
  name                       = "${each.value.topic}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters[each.key].id
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${google_cloudfunctions2_function.this["dead-letter"].service_config[0].uri}${each.value.path}"
    oidc_token {
      service_account_email = local.emails["push"]
      audience              = local.audiences["dead-letter"]
    }
  }
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }
  expiration_policy {
    ttl = ""
  }

  depends_on = [google_service_account_iam_member.push_tokens]
}

# Pub/Sub itself moves what is dead: it publishes there, and acknowledges here.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  for_each = local.queues

  project = var.project
  topic   = google_pubsub_topic.dead_letters[each.key].name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent

  depends_on = [google_project_service_identity.pubsub]
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = local.queues

  project      = var.project
  subscription = google_pubsub_subscription.this[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [google_project_service_identity.pubsub]
}

# Projects of before April 2021 want this said.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = "projects/${var.project}/serviceAccounts/${local.emails["push"]}"
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_project_service_identity.pubsub, google_service_account.this]
}

resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = merge([
    for key, publisher in var.publishers : {
      for member in publisher.members : "${key} ${member}" => { topic = "submissions-${key}", member = member }
    }
  ]...)

  project = var.project
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}
