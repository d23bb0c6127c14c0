# Pages for failures: weir's own and, where it is asked for, the servers'.

listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:8080" {}
}

site "*" {
  errors {
    # Also instead of what a server says. Without this, only of weir's own failures: no server, a timeout, a server
    # that breaks off.
    upstream = true

    page "5xx" { file = "error-pages/sorry.html" }
    page "404" { file = "error-pages/404.html" }

    # Text with what is known of the request in it.
    page "503" {
      body = "We are busy, {client.ip}. Try again in a minute.\n"
      type = "text/plain; charset=utf-8"
    }
  }

  route "/*" { proxy = upstream.app }

  # Programs that ask get weir's failures as JSON, and the server's as they are.
  route "/api/*" {
    proxy = upstream.app
    errors {
      page "5xx" {
        body = "{{\"error\": \"{status}\"}\n"
        type = "application/json"
      }
    }
  }
}
