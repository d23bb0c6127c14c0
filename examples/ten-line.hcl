listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:3000" {}
  server "10.0.0.12:3000" {}
  health { path = "/healthz" }
}

site "*" {
  route "/*" { proxy = upstream.app }
}
