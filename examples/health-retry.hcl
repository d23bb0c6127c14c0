# Servers fail. What weir does about it, from asking them to waiting for them.

listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {}
  server "10.0.0.13:8080" {}

  # Active: each server is asked every two seconds. Two bad answers in a row take it out, one good one brings it
  # back.
  health {
    path     = "/healthz"
    interval = "2s"
    timeout  = "1s"
    expect   = [200, 204]
    fall     = 2
    rise     = 1
  }

  # Passive: a server that fails five times in ten seconds is left alone for half a minute, longer the next time;
  # never more than half of them.
  outlier {
    errors      = 5
    within      = "10s"
    eject       = "30s"
    max_ejected = "50%"
  }

  # A request that did not get through goes to another server: three are asked at most, no more than a fifth of all
  # requests are second tries, and never one that a server may have acted on, such as a POST of which a byte was sent.
  retry {
    attempts = 3
    budget   = "20%"
  }

  # Each server gets at most 200 requests at one time; others wait up to two seconds, a thousand of them; then the
  # answer is 503.
  queue {
    per_server = 200
    length     = 1000
    timeout    = "2s"
  }

  # A server that comes back takes its full share only after half a minute.
  slow_start = "30s"

  timeouts {
    connect    = "2s"
    first_byte = "30s"
    idle       = "30s"
  }
}

site "*" {
  route "/*" { proxy = upstream.app }

  # Reports take their time.
  route "/reports/*" {
    proxy = upstream.app
    timeouts { first_byte = "5m" }
  }
}
