# The database, and what of its documents is indexed, as infra/firestore.json says: a test holds that file to the queries
# of the code. Composite indexes take effect whatever is exempt.

locals {
  firestore = jsondecode(file("${path.module}/firestore.json"))
  firestore_indexes = {
    for index in local.firestore.indexes : "${index.collection}: ${join(", ", index.fields)}" => index
  }
  firestore_fields = {
    for field in local.firestore.fields : "${field.collection}.${field.field}" => field
  }
  # A field is written "createdAt desc", "tags contains", or without a word: ascending.
  firestore_orders = { asc = "ASCENDING", desc = "DESCENDING" }
}

resource "google_firestore_database" "this" {
  count = var.create_database ? 1 : 0

  project     = var.project
  name        = var.database
  location_id = var.location
  type        = "FIRESTORE_NATIVE"

  # A read of the last seven days' past, to the minute; the backups below reach further back.
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  # Whoever wants it gone says so in two places.
  delete_protection_state = "DELETE_PROTECTION_ENABLED"
  deletion_policy         = "ABANDON"

  dynamic "cmek_config" {
    for_each = var.kms_key_name == null ? [] : [var.kms_key_name]
    content {
      kms_key_name = cmek_config.value
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.create_database ? 1 : 0

  project   = var.project
  database  = var.database
  retention = "604800s"

  daily_recurrence {}

  depends_on = [google_firestore_database.this]
}

resource "google_firestore_index" "this" {
  for_each = local.firestore_indexes

  project     = var.project
  database    = var.database
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = [for field in each.value.fields : split(" ", field)]
    content {
      field_path   = fields.value[0]
      order        = try(fields.value[1], "asc") == "contains" ? null : local.firestore_orders[try(fields.value[1], "asc")]
      array_config = try(fields.value[1], "asc") == "contains" ? "CONTAINS" : null
    }
  }

  depends_on = [google_firestore_database.this, google_project_service.this]
}

# An empty index_config exempts a field; the field "*" says what holds for those of its collections that have no own row.
resource "google_firestore_field" "this" {
  for_each = local.firestore_fields

  project    = var.project
  database   = var.database
  collection = each.value.collection
  field      = each.value.field

  index_config {
    dynamic "indexes" {
      for_each = [for index in each.value.indexes : split(" ", index)]
      content {
        order       = local.firestore_orders[indexes.value[0]]
        query_scope = length(indexes.value) > 1 ? "COLLECTION_GROUP" : "COLLECTION"
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }

  depends_on = [google_firestore_database.this, google_project_service.this]
}
