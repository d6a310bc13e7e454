# Every metric of metrics.json in a chart: how many, or the median and the slowest of twenty; of money and tokens the sum.

locals {
  charts = {
    for name, metric in local.metrics : name => {
      by      = join(", ", concat(try(metric.unit, "") == "ms" ? ["le"] : [], metric.chart_by))
      is_time = try(metric.unit, "") == "ms"
      series  = "${local.metric_prefix}${name}${can(metric.value) ? try(metric.unit, "") == "ms" ? "_bucket" : "_sum" : ""}{monitored_resource=\"cloud_run_revision\"}"
    }
  }
  chart_queries = {
    for name, chart in local.charts : name => chart.is_time ? [
      for share in ["0.5", "0.95"] : "histogram_quantile(${share}, sum by (${chart.by}) (rate(${chart.series}[10m])))"
    ] : ["sum by (${chart.by}) (increase(${chart.series}[10m]))"]
  }
}

resource "google_monitoring_dashboard" "this" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, name in keys(local.metrics) : {
          xPos   = index % 2 * 24
          yPos   = floor(index / 2) * 12
          width  = 24
          height = 12
          widget = {
            title = local.metrics[name].description
            xyChart = {
              dataSets = [
                for query in local.chart_queries[name] : {
                  plotType        = "LINE"
                  timeSeriesQuery = { prometheusQuery = query }
                }
              ]
            }
          }
        }
      ]
    }
  })

  depends_on = [google_logging_metric.this]
}
