# Pages for failures: weir's own and, where it is asked for, the servers'.

listener "http" { address = ":8080" }

upstream "app" {
  server "10.0.0.11:8080" {}
}

site "*" {
  errors {
    # When weir itself has no answer: no server, a timeout, a server that breaks off.
    page "5xx" { file = "error-pages/sorry.html" }

    # Also instead of what a server says.
    page "404" {
      file     = "error-pages/404.html"
      upstream = true
    }

    # Text with what is known of the request in it.
    page "503" {
      body = "We are busy, {client.ip}. Try again in a minute.\n"
      type = "text/plain; charset=utf-8"
    }
  }

  route "/*" { proxy = upstream.app }

  # Programs that ask get their failures as JSON.
  route "/api/*" {
    proxy = upstream.app
    errors {
      page "5xx" {
        body = "{\"error\": \"unavailable\"}\n"
        type = "application/json"
      }
    }
  }

  # A page to see without breaking anything.
  respond "/gone" { status = 404 }
}
