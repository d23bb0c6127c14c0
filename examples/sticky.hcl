# A client stays with its server, because sessions live in that server's memory.

listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {}

  # The cookie tells nothing of the server's address. A client whose server is gone gets another one, and a new
  # cookie.
  sticky {
    cookie    = "weir_app"
    ttl       = "8h"
    same_site = "lax"
  }
  health { path = "/healthz" }
}

site "*" {
  route "/*" { proxy = upstream.app }
}
