upstream "shop" {
  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {}
  health { path = "/healthz" }
}

site "shop.example.com" {
  hosts = ["shop.example.com", "*.shop.example.com"]
  use   = [policy.public]
  route "/*" { proxy = upstream.shop }
}
