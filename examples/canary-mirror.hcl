# A new version gets a little of the traffic, and another one a copy of all of it.

listener "http" { address = ":8080" }

upstream "stable" {
  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {}
}

upstream "next" {
  server "10.0.0.21:8080" {}
}

upstream "shadow" {
  server "10.0.0.31:8080" {}
}

site "*" {
  # Five of a hundred clients see the next version; the same client always sees the same one.
  route "/*" {
    split {
      to = { "upstream.stable" = 95, "upstream.next" = 5 }
      by = "{client.ip}"
    }
  }

  # Who has the cookie sees it anyway.
  route "/*" {
    cookie = { "version" = "next" }
    proxy  = upstream.next
  }

  # A tenth of the searches are also sent to the shadow. Its answers are dropped, and how slow it is, or whether it
  # fails, no client gets to know.
  route "/search" {
    proxy = upstream.stable
    mirror {
      to    = upstream.shadow
      share = "10%"
    }
  }

  expect "GET /" {
    headers  = { "Cookie" = "version=next" }
    upstream = upstream.next
  }
}
