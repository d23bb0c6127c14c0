listener "http" { address = "127.0.0.1:8080" }

listener "tls" {
  address   = "127.0.0.1:8443"
  protocols = ["h1", "h2", "h3"]
  tls {
    certificate = "cert.pem"
    key         = "key.pem"
  }
}

upstream "origin" {
  server "127.0.0.1:9000" {}
  keepalive = 2048
}

site "plain" {
  hosts = ["*"]
  route "/*" { proxy = upstream.origin }
}
