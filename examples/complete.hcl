# The whole of weir in one file: every block and every attribute there is. What a value could also be stands behind
# it; what is written is the default, or something sensible where there is none. doc/reference/ says more.
#
# - {name} in a text is filled in for each request, ${...} when the file is read.
# - Sizes "10MB", durations "1m30s", shares "20%", networks "10.0.0.0/8".
# - References are not texts: upstream.shop is checked when the file is read.
# - What a site sets, its routes inherit; what a route sets, wins. Policies stand behind both.
# - The most specific route wins, whatever the order of lines. Two routes that match alike are an error.

state_dir       = "/var/lib/weir"  # for what weir keeps between runs
user            = "weir"           # to become when all ports are open
grace           = "30s"            # for requests under way when weir stops
watch           = false            # reload when a file changes
pseudonym       = "edge-1-example" # in Via; without it a name that tells nothing
trusted_proxies = ["10.0.0.0/8"]   # who is believed when they say whom they ask for
trusted_fields  = "x-forwarded"    # by which fields: rfc7239, both, off
trusted_host    = false            # and by which host
include         = ["many-sites/shop.hcl"]

# ---------------------------------------------------------------- where weir listens

listener "http" {
  address         = ":80" # "127.0.0.1:8080", "[::1]:80", "unix:/run/weir.sock"
  protocols       = ["h1"]
  max_connections = 50000
  proxy_protocol  = "off"

  timeouts {
    header     = "10s"    # a whole request head, from its first byte
    idle       = "3m"     # until the next request on a kept connection
    body_floor = "1KiB/s" # progress, not wall clock, ends a slow body
    tunnel     = "1h"     # silence on a WebSocket
  }
  limits {
    line    = "8KiB"
    head    = "64KiB"
    fields  = 100
    trailer = "8KiB"
    streams = 128 # of HTTP/2 and 3, on one connection
  }
}

# Encrypted: each site has its certificate, and what comes unencrypted for it is sent here.
listener "https" {
  address        = ":443"
  protocols      = ["h1", "h2", "h3"] # h3 takes the UDP port, too
  proxy_protocol = "optional"         # required, off; trusted_proxies alone are believed
  tls {
    minimum     = "1.2"
    client_ca   = "tls/example-cert.pem" # who signs the certificates of clients
    verify      = "request"              # require, off
    certificate = "tls/example-cert.pem" # for names that no site has; without it they get none
    key         = "tls/example-key.pem"
    ech { # clients may encrypt the name that they ask for; see weir cert ech
      public_name = "cover.example.com"
      keep        = 2 # older keys
    }
  }
}

listener "local" {
  address = "unix:/run/weir/local.sock"
  mode    = "0660"
}

# Certificates of sites with tls = "auto" come from public authorities. All of this may be left out.
acme {
  email     = "ops@example.com"
  ca        = ["letsencrypt", "zerossl"] # the next one where the first fails; or the URL of a directory
  ca_roots  = "tls/example-cert.pem"     # who vouches for directories that are named by URL
  profile   = "classic"
  challenge = "auto" # http-01, tls-alpn-01, dns-01
  resolvers = ["192.0.2.53:53"]
  http_port = 80
  eab {
    id  = "kid-1"
    key = env("EAB_KEY", "c2VjcmV0LXNlY3JldC1zZWNyZXQ")
  }
  # dns "cloudflare" { token = env("CLOUDFLARE_TOKEN") }
  # dns "exec" { program = "/usr/local/bin/set-record"  args = ["--quiet"] }
  # dns "acme-dns" { server = "https://auth.example.org"  username = "u"  password = "p"  subdomain = "s" }
  dns "rfc2136" {
    server    = "192.0.2.53:53"
    zone      = "example.com"
    key_name  = "weir."
    key       = env("TSIG_KEY", "c2VjcmV0LXNlY3JldC1zZWNyZXQ=")
    algorithm = "hmac-sha256"
    name      = "_acme-challenge.delegated.example.com"
  }
}

# ---------------------------------------------------------------- who answers

upstream "shop-next" {
  server "10.0.0.11:8080" {
    weight          = 2
    max_connections = 100 # requests at one time
  }
  server "10.0.0.12:8080" {}
  server "10.0.1.11:8080" { backup = true }
  server "spare" {
    address = env("SPARE_ADDRESS", "10.0.1.12:8080")
    backup  = true
  }

  balance        = "least-request" # round-robin, random, least-time, hash, maglev
  slow_start     = "30s"
  keepalive      = 1024
  keepalive_idle = "60s"
  host           = "pass" # the client's Host; "server": its own address; or a template
  protocol       = "h1"
  first_lookup   = "5s" # how long the start waits for the names of servers

  sticky {
    cookie    = "weir_shop"
    path      = "/"
    domain    = "shop.example.com"
    ttl       = "8h"
    secure    = false
    http_only = true
    same_site = "lax"
  }
  health {
    path     = "/healthz"
    method   = "GET"
    host     = "shop.example.com"
    headers  = { "User-Agent" = "weir" }
    interval = "5s"
    timeout  = "2s"
    expect   = [200, "3xx"]
    match    = "ok" # stands in the answer
    rise     = 2
    fall     = 3
  }
  outlier {
    errors      = 5
    within      = "10s"
    eject       = "30s"
    max_ejected = "50%"
  }
  retry {
    attempts       = 3
    budget         = "20%"
    min_per_second = 10 # however few requests there are
  }
  queue {
    per_server = 200
    length     = 1000
    timeout    = "2s"
  }
  timeouts {
    connect    = "5s"
    first_byte = "60s"
    idle       = "60s"
  }
}

upstream "api" {
  discover "dns" { name = "api.example.com:8080" } # "_http._tcp.api.example.com" asks for SRV
  refresh {
    min = "5s" # whatever the TTL says
    max = "5m"
  }
  health { tcp = true }
}

upstream "local" {
  server "unix:/run/app.sock" {}
  balance = "hash" # or maglev: the same value, the same server
  sticky { by = "{client.ip}" }
}

# Encrypted again on the way in.
upstream "accounts" {
  server "accounts.internal:443" {}
  proxy_protocol = "off" # v1, v2: servers learn whose each connection is
  protocol       = "h2"  # h1, h2c, h3, fastcgi
  health {
    grpc         = true # asks gRPC's health service
    grpc_service = "accounts.v1.Accounts"
  }
  tls {
    ca          = "tls/example-cert.pem"
    server_name = "accounts.internal"
    minimum     = "1.3"
    verify      = true
    pins        = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    certificate = "tls/example-cert.pem" # that servers are shown
    key         = "tls/example-key.pem"
  }
}

upstream "php" {
  server "unix:/run/php/php-fpm.sock" {}
  protocol = "fastcgi"
  fastcgi {
    root      = "/srv/shop"
    remote    = false # the folder is on this machine
    index     = "index.php"
    split     = ".php"
    env       = { "APP_ENV" = "production" }
    keepalive = 0
  }
}

# ---------------------------------------------------------------- settings by name

policy "public" {
  max_body = "10MB"
  response {
    set     = { "X-Content-Type-Options" = "nosniff" }
    default = { "Cache-Control" = "no-cache" }
    remove  = ["Server", "X-Powered-By"]
  }
}

# ---------------------------------------------------------------- sites

site "www.example.com" {
  hosts     = ["www.example.com", "example.com", "*.www.example.com"]
  on        = [listener.http]
  use       = [policy.public]
  deny      = ["192.0.2.0/24"]
  log       = [log.access]
  via       = true
  forwarded = "both" # x-forwarded, rfc7239, off

  forwarded_port = true

  request_id {
    header = "X-Request-ID"
    accept = "trusted" # whose id is kept: also anyone, never
    format = "uuid"    # hex
    hide   = false     # from servers
    return = true      # to clients
  }

  route "/*" { proxy = upstream.shop-next }

  # Everything that a request can be told apart by.
  route "/api/{version}/*" {
    method  = ["GET", "POST"]
    header  = { "X-Api-Key" = "*", "Accept" = "~ json" }
    query   = { "debug" = "1" }
    cookie  = { "beta" = "yes" }
    clients = ["10.0.0.0/8", "2001:db8::/32"]
    when    = "request.method == 'GET'"
    proxy   = upstream.api

    host     = "api.example.com"
    max_body = "1MB"
    allow    = ["10.0.0.0/8"]
    rewrite {
      strip_prefix  = "/api"
      prefix_header = true # servers learn of it by X-Forwarded-Prefix
      location      = true # and their redirects get it back
    }
    request {
      remove  = ["X-Debug"]
      set     = { "X-Client" = "{client.ip}" }
      add     = { "X-Seen" = "{host}{path}" }
      default = { "Accept-Language" = "en" }
      query {
        remove = ["utm_source"]
        set    = { "version" = "{version}" }
      }
    }
    timeouts { first_byte = "5m" }
  }

  # A regular expression over the path, and one to change it.
  route "~ ^/item/[0-9]+$" {
    proxy = upstream.local
    rewrite {
      path       = "^/item/([0-9]+)$"
      replace    = "/items.php/$1"
      add_prefix = "/v2"
    }
  }

  route "/shoes/{colour}-{id}" {
    proxy = upstream.local
    rewrite { to = "/index.php?id={id}&c={colour}" }
  }

  # A canary and a shadow.
  route "/search" {
    split {
      to = { "upstream.shop-next" = 95, "upstream.local" = 5 }
      by = "{client.ip}"
    }
    mirror {
      to         = upstream.api
      share      = "10%"
      max_body   = "64KiB" # of requests that are copied
      concurrent = 64
    }
  }

  route "/suggest" {
    split {
      to     = { "upstream.shop-next" = 1, "upstream.local" = 1 }
      mirror = upstream.api # in short: of every request
    }
  }

  # Answers of weir's own.
  route "/health" {
    log = false
    respond {
      status  = 200
      body    = "well\n"
      type    = "text/plain; charset=utf-8"
      headers = { "Cache-Control" = "no-store" }
    }
  }
  respond "/robots.txt" { body = "User-agent: *\nAllow: /\n" }
  redirect "example.com/*" { to = "http://www.example.com/{*}" }
  redirect "/old/*" {
    to         = "/{*}"
    status     = 301
    drop_query = true
  }

  errors {
    upstream = true # also instead of what servers say
    page "404" { file = "error-pages/404.html" }
    page "5xx" { file = "error-pages/sorry.html" }
    page "503" {
      body = "Busy: try again.\n"
      type = "text/plain; charset=utf-8"
    }
  }

  # Tests, run by `weir check` and before each reload.
  expect "GET /shoes/red-7" { upstream = upstream.local }
  expect "GET /item/12" { route = "~ ^/item/[0-9]+$" }
  expect "GET /old/a" { location = "/a" }
  expect "GET /" {
    host     = "example.com"
    location = "http://www.example.com/"
  }
  expect "GET /" {
    client = "192.0.2.1"
    status = 403
  }
  expect "POST /api/v1/users" {
    headers = { "X-Api-Key" = "k" }
    route   = "/*"
  }
}

site "secure.example.com" {
  # tls = "auto" # the default; "internal": an authority of weir's own; "off"
  tls {
    from        = "files"
    certificate = "tls/example-cert.pem"
    key         = "tls/example-key.pem"
    minimum     = "1.3"
    client_ca   = "tls/example-cert.pem"
    verify      = "off"
    redirect    = true   # what comes unencrypted goes to https
    hsts        = "365d" # and browsers remember that
  }
  route "/*" { proxy = upstream.accounts }
  route "/shop/*" { proxy = upstream.php }
}

site "customers" {
  hosts = ["*.customers.example.com"]
  on    = [listener.https]
  tls {
    on_demand { # certificates for names that clients bring, if allow and ask agree
      allow      = ["*.customers.example.com"]
      ask        = "http://127.0.0.1:9000/is-customer" # ?domain=NAME; 200 is yes
      per_minute = 10
      names      = 10000
      wait       = "10s"
    }
  }
  route "/*" { proxy = upstream.accounts }
}

# ---------------------------------------------------------------- seeing, and steering

admin {
  listen = "127.0.0.1:9180"       # any other than loopback needs users
  users  = "admin.htpasswd"       # names and bcrypt hashes
  socket = "/run/weir/admin.sock" # for the command line
}

log "access" {
  to     = "/var/log/weir/access.log" # stdout, stderr, syslog, syslog://host:514
  format = "json"                     # combined, common, "{client.ip} {status} ..."
  sample = "100%"                     # of what went well
  status = ["2xx", "3xx", "4xx", "5xx"]
  buffer = "4MiB" # for a slow disk; then lines are dropped
  rotate {
    size = "100MB"
    age  = "1d"
    keep = 10
  }
}

log "events" {
  to     = "stderr"
  format = "text" # json
  level  = "info" # debug, warn, error
}
