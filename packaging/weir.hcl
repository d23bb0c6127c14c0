# /etc/weir/weir.hcl: what weir serves. After a change:
#
#   weir check /etc/weir/weir.hcl && systemctl reload weir
#
# Every block and attribute stands in examples/complete.hcl and doc/reference/.

listener "http" {
  address = ":80"
}

# The dashboard, metrics, and what `weir reload` asks; for this machine alone.
admin {
  listen = "127.0.0.1:9180"
}

log "access" {
  to     = "/var/log/weir/access.log"
  format = "json"
  rotate {
    size = "100MB"
    keep = 10
  }
}

# Until there is a site of your own:
site "*" {
  respond "/*" { body = "weir is at work. Write your sites into /etc/weir/weir.hcl.\n" }
}

# upstream "app" {
#   server "127.0.0.1:3000" {}
#   health { path = "/healthz" }
# }
#
# site "www.example.com" {
#   route "/*" { proxy = upstream.app }
# }
