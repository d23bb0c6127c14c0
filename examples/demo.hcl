# What `weir demo` serves. There, the servers are part of weir's own process.

listener "http" { address = "127.0.0.1:8080" }

admin { listen = "127.0.0.1:9180" }

log "access" {
  to     = "stdout"
  format = "{method} {uri} {status} {response.header.x-served-by} {duration}s {outcome}"
}

# Three servers that are all alike. POST /api/servers/shop-2/stop and see what happens.
upstream "shop" {
  server "127.0.0.1:9001" {}
  server "127.0.0.1:9002" {}
  server "127.0.0.1:9003" {}

  health {
    path     = "/healthz"
    interval = "1s"
  }
  outlier {
    errors = 3
    eject  = "5s"
  }
}

upstream "api" {
  server "127.0.0.1:9004" {}
}

upstream "stream" {
  server "127.0.0.1:9005" {}
}

upstream "echo" {
  server "127.0.0.1:9006" {}
}

site "*" {
  request_id {}

  route "/*" { proxy = upstream.shop }
  route "/api/*" { proxy = upstream.api }
  route "/events" { proxy = upstream.stream }
  route "/echo" { proxy = upstream.echo }

  # Answers of weir's own.
  redirect "/old/*" { to = "/{*}" }
  respond "/teapot" {
    status = 418
    body   = "I'm a teapot, and you are {client.ip}.\n"
  }

  errors {
    page "5xx" {
      body = "<!doctype html><title>Sorry</title><h1>{status}</h1><p>Nobody can answer just now."
      type = "text/html; charset=utf-8"
    }
  }

  # Tests of this file: `weir check` runs them, and no reload comes about that fails one.
  expect "GET /products/1" { upstream = upstream.shop }
  expect "GET /api/echo" { route = "/api/*" }
  expect "GET /old/products/1" { location = "/products/1" }
  expect "GET /teapot" { status = 418 }
}
