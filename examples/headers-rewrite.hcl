# What is changed on the way: header fields, paths, queries.

# Only these are believed when they say whom they ask for (X-Forwarded-For, Forwarded).
trusted_proxies = ["10.0.0.0/8"]

listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:8080" {}
}

upstream "legacy" {
  server "10.0.0.12:8080" {}
  host = "legacy.internal" # what it is asked for, whatever the client said
}

# Settings with a name, for more than one site.
policy "browser" {
  response {
    set     = { "X-Content-Type-Options" = "nosniff", "Referrer-Policy" = "same-origin" }
    default = { "Cache-Control" = "no-cache" } # where the server says nothing
    remove  = ["Server", "X-Powered-By"]
  }
}

site "www.example.com" {
  use = [policy.browser]

  # An id for each request, in logs, to servers and back to the client.
  request_id { return = true }

  # Both families of fields tell the server who the client is.
  forwarded = "both"

  route "/*" { proxy = upstream.app }

  # /api/users becomes /users; the server learns of the rest by X-Forwarded-Prefix.
  route "/api/*" {
    rewrite { strip_prefix = "/api" }
    request {
      set    = { "X-Client" = "{client.ip}" }
      remove = ["X-Debug"]
      query {
        remove = ["utm_*"]
        set    = { "page" = "1" }
      }
    }
    proxy = upstream.app
  }

  # A readable address for an old one.
  route "/shoes/{colour}-{id}" {
    rewrite { to = "/index.php?cat=3&id={id}&c={colour}" }
    proxy = upstream.legacy
  }

  # A regular expression, where nothing simpler will do.
  route "/archive/*" {
    rewrite {
      path    = "^/archive/([0-9]{4})/([0-9]{2})/"
      replace = "/archive/$1-$2/"
    }
    proxy = upstream.legacy
  }

  redirect "/old/*" {
    to     = "/{*}"
    status = 301
  }

  respond "/robots.txt" { body = "User-agent: *\nDisallow: /api/\n" }

  expect "GET /old/a/b" { location = "/a/b" }
  expect "GET /robots.txt" { status = 200 }
  expect "GET /shoes/red-7" { upstream = upstream.legacy }
}
