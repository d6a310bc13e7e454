# With `split`: one address, three functions. What writes goes to submit, what streams to stream, all else to status; with
# `console` its page and files to a fourth, so that it asks its own origin.

locals {
  doors = { for name, function in local.deployed : name => function if var.split && function.caller == "public" }
  # As request-kind.ts has it; only a scheme with managed routing can look at the method.
  write_methods = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
  stream_paths  = ["/api/llm/jobs/stream", "/api/llm/jobs/stream/", "/api/llm/jobs/*/stream", "/api/llm/jobs/*/stream/", "/jobs/*/stream", "/jobs/*/stream/"]
}

resource "google_compute_global_address" "this" {
  count = var.split ? 1 : 0

  project = var.project
  name    = var.name

  depends_on = [google_project_service.this]
}

resource "google_compute_region_network_endpoint_group" "this" {
  for_each = local.doors

  project               = var.project
  region                = var.region
  name                  = "${var.name}-${each.key}"
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloudfunctions2_function.this[each.key].name
  }
}

resource "google_compute_backend_service" "this" {
  for_each = local.doors

  project               = var.project
  name                  = "${var.name}-${each.key}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"

  backend {
    group = google_compute_region_network_endpoint_group.this[each.key].id
  }
}

resource "google_compute_url_map" "this" {
  count = var.split ? 1 : 0

  project         = var.project
  name            = var.name
  default_service = google_compute_backend_service.this["status"].id

  host_rule {
    hosts        = ["*"]
    path_matcher = "doors"
  }

  path_matcher {
    name            = "doors"
    default_service = google_compute_backend_service.this["status"].id

    route_rules {
      priority = 1
      service  = google_compute_backend_service.this["submit"].id
      dynamic "match_rules" {
        for_each = local.write_methods
        content {
          prefix_match = "/"
          header_matches {
            header_name = ":method"
            exact_match = match_rules.value
          }
        }
      }
    }
    route_rules {
      priority = 2
      service  = google_compute_backend_service.this["stream"].id
      dynamic "match_rules" {
        for_each = local.stream_paths
        content {
          path_template_match = match_rules.value
        }
      }
    }
    dynamic "route_rules" {
      for_each = var.console ? ["console"] : []
      content {
        priority = 3
        service  = google_compute_backend_service.this[route_rules.value].id
        match_rules {
          full_path_match = "/"
        }
        match_rules {
          prefix_match = "/console/"
        }
      }
    }
  }
}

# Another domain wants another certificate, under another name, before the proxy can let go of this one.
resource "google_compute_managed_ssl_certificate" "this" {
  count = var.split ? 1 : 0

  project = var.project
  name    = "${var.name}-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_target_https_proxy" "this" {
  count = var.split ? 1 : 0

  project          = var.project
  name             = var.name
  url_map          = google_compute_url_map.this[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.this[0].id]
}

resource "google_compute_global_forwarding_rule" "this" {
  count = var.split ? 1 : 0

  project               = var.project
  name                  = var.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  port_range            = "443"
  ip_address            = google_compute_global_address.this[0].id
  target                = google_compute_target_https_proxy.this[0].id
}
