listener "http" {
  address = ":8080"
}

listener "http-2" {
  address = "127.0.0.1:81"
}

upstream "app" {
  server "127.0.0.1:3000" {}
  server "app.internal:80" {}
  server "unix:/run/a$${b}.sock" {}
  balance = "hash"
  health {
    path = "/h"
  }
}

site "*" {
  hosts = ["a.example", "*.a.example"]
  route "/*" {
    proxy = upstream.app
  }
}

admin {
  listen = "127.0.0.1:9180"
}

log "access" {
  to     = "stdout"
  format = "combined"
}
