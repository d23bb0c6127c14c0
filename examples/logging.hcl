# What is written down. Access logs have a line for each request; the log "events" says what happens to weir itself.
# A disk that is slow or full never holds up a request: lines are dropped then, and counted.

listener "http" { address = ":8080" }

log "access" {
  to     = "/var/log/weir/access.log" # or stdout, stderr, syslog, syslog://10.0.0.5:514
  format = "json"                     # or combined, common
  rotate {
    size = "100MB"
    age  = "1d"
    keep = 10
  }
}

# A format of one's own, for failures and a hundredth of what went well.
log "short" {
  to     = "stdout"
  format = "{client.ip} {method} {host}{path} {status} {outcome}"
  sample = "1%"
}

log "events" {
  to     = "stderr"
  format = "json"
  level  = "info"
}

upstream "app" {
  server "10.0.0.11:8080" {}
}

site "*" {
  request_id { return = true } # the same id in the log, at the server and in the client's hands

  route "/*" { proxy = upstream.app }

  # Checks of a load balancer before weir: not worth a line.
  route "/ping" {
    log = false
    respond { body = "pong\n" }
  }

  # Only in the file.
  route "/assets/*" {
    log   = [log.access]
    proxy = upstream.app
  }
}
