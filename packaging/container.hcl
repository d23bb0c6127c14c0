# What the image serves until it is given a configuration of its own:
#
#   docker run -p 80:80 -v ./weir.hcl:/etc/weir/weir.hcl:ro weir

listener "http" {
  address = ":80"
}

# Reach it from within: docker exec CONTAINER /weir reload
admin {
  listen = "127.0.0.1:9180"
}

log "access" {
  to = "stdout"
}

log "events" {
  to     = "stderr"
  format = "json"
}

site "*" {
  respond "/*" { body = "weir is at work. Mount your configuration at /etc/weir/weir.hcl.\n" }
}
