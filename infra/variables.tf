variable "project" {
  description = "The Google Cloud project, which exists and has billing."
  type        = string
}

variable "region" {
  description = "Where the functions run."
  type        = string
  default     = "us-central1"
}

variable "location" {
  description = "Where the database is: a region, or a multi-region such as nam5, which costs twice as much. It cannot be changed later."
  type        = string
  default     = "us-central1"
}

variable "name" {
  description = "What the names of all that is made begin with."
  type        = string
  default     = "llm-jobs"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,16}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 18 lower-case letters, digits and hyphens: service accounts have 30 at most."
  }
}

variable "database" {
  description = "The Firestore database."
  type        = string
  default     = "(default)"
}

variable "create_database" {
  description = "Whether the database is made here; false: it exists, and only gets its indexes."
  type        = bool
  default     = true
}

variable "service_accounts" {
  description = "Your own service accounts in place of those that are made here, by the names of roles.json: { worker = \"w@p.iam.gserviceaccount.com\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.service_accounts) : contains(keys(local.roles), name)])
    error_message = "service_accounts must be named as in infra/roles.json: ${join(", ", keys(local.roles))}."
  }
}

variable "kms_key_name" {
  description = "A key of yours in Cloud KMS, in the same region, for the database, the topics, the secrets and the functions; their service agents must be allowed to use it."
  type        = string
  default     = null
}

variable "docker_repository" {
  description = "The Artifact Registry repository for the functions' images, encrypted with kms_key_name, which needs one; without it Cloud Functions makes one."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null || var.docker_repository != null
    error_message = "docker_repository must be set where kms_key_name is: Cloud Functions wants the images under the same key."
  }
}

variable "settings" {
  description = "Settings of the service by their variable, as in the README; those that are secret go into secrets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : contains(local.setting_names, name)])
    error_message = "settings has what is none, or what is set elsewhere (infra/environment.json): ${join(", ", [for name in keys(var.settings) : name if !contains(local.setting_names, name)])}."
  }
}

variable "secrets" {
  description = "Secret settings by their variable: the number of the version, in Secret Manager, that holds each: { OPENAI_API_KEY = \"1\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.secrets) : contains(local.secret_names, name)])
    error_message = "secrets may have ${join(", ", local.secret_names)} alone."
  }
  validation {
    condition     = alltrue([for version in values(var.secrets) : can(regex("^[1-9][0-9]*$", version))])
    error_message = "secrets must have the number of a version each, never `latest`: what runs must not change by itself."
  }
}

variable "split" {
  description = "Whether submit, status and stream are functions of their own behind a load balancer, in place of api."
  type        = bool
  default     = false

  validation {
    condition     = !var.split || var.domain != null
    error_message = "domain must be set where split is true: the load balancer's certificate is for it."
  }
}

variable "domain" {
  description = "The host name of the load balancer."
  type        = string
  default     = null
}

variable "console" {
  description = "Whether everybody who reaches the service may load the console, a page at /; its data asks for credentials as ever (AUTH_MODE)."
  type        = bool
  default     = false

  validation {
    condition     = !var.console || contains([for name in split(",", lookup(var.settings, "SURFACES", "llm-jobs")) : trimspace(name)], "llm-jobs")
    error_message = "console must be false where SURFACES is without llm-jobs, which it shows."
  }
}

variable "public" {
  description = "Whether everybody may call the doors, which then ask for credentials themselves (AUTH_MODE)."
  type        = bool
  default     = true
}

variable "min_instances" {
  description = "Instances kept warm, by function: { api = 1 }. Each is paid for."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.min_instances) : contains(keys(local.functions), name)])
    error_message = "min_instances must be by function: ${join(", ", keys(local.functions))}."
  }
}

variable "max_instances" {
  description = "Instances at most, by function, in place of functions.json's."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.max_instances) : contains(keys(local.functions), name)])
    error_message = "max_instances must be by function: ${join(", ", keys(local.functions))}."
  }
}

variable "runtime" {
  description = "The Node runtime of the functions."
  type        = string
  default     = "nodejs24"
}

variable "vpc_connector" {
  description = "A Serverless VPC Access connector, for a REDIS_URL with a private address."
  type        = string
  default     = null
}

variable "publishers" {
  description = "Services that publish jobs: each has a topic of its own, so that nobody speaks in another's name. members may publish to it."
  type        = map(object({ tenant = string, user = string, members = optional(list(string), []) }))
  default     = { default = { tenant = "default", user = "publisher" } }

  validation {
    condition     = contains(keys(var.publishers), "default")
    error_message = "publishers must have `default`, whose topic is SUBMISSIONS_TOPIC."
  }
  validation {
    condition     = alltrue([for key in keys(var.publishers) : can(regex("^[a-z][a-z0-9-]{0,99}$", key)) && !endswith(key, "dead-letters")])
    error_message = "publishers must be named by lower-case letters, digits and hyphens, a letter first, and not as topics of dead letters are."
  }
  # As shared/core/ids.ts has it: in another's name nothing would be taken in, and all would be dead after twenty tries.
  validation {
    condition     = alltrue([for one in values(var.publishers) : can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", one.tenant)) && can(regex("^[^[:cntrl:]]{1,300}$", one.user))])
    error_message = "publishers must each have a tenant of 1 to 64 letters, digits, dots, hyphens and underscores, and a user of 1 to 300 characters."
  }
}

variable "publish_events" {
  description = "Whether the events of all jobs are published; each is a message, and a write of its job."
  type        = bool
  default     = false
}
