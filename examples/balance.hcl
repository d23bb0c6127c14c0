# Several servers that can answer the same requests, and the ways of choosing one of them.

listener "http" { address = ":8080" }

# One after the other, by weight; the default.
upstream "round" {
  server "10.0.0.11:8080" { weight = 2 } # gets two of three requests
  server "10.0.0.12:8080" {}
  server "10.0.1.11:8080" { backup = true } # asked only where no other can be
  balance = "round-robin"
}

# The one with the fewest requests under way for its weight: for answers of very different length.
upstream "busy" {
  server "10.0.0.21:8080" {}
  server "10.0.0.22:8080" {}
  balance = "least-request"
}

# The one that would be done soonest, by what its last answers took.
upstream "fast" {
  server "10.0.0.31:8080" {}
  server "10.0.0.32:8080" {}
  balance = "least-time"
}

# The less busy of two chosen by chance: as good with a hundred servers, and many proxies before them.
upstream "many" {
  server "10.0.0.41:8080" {}
  server "10.0.0.42:8080" {}
  server "10.0.0.43:8080" {}
  balance = "random"
}

# The same value, the same server: for servers that keep something in memory. When a server leaves, only its own
# share goes elsewhere.
upstream "cached" {
  server "10.0.0.51:8080" {}
  server "10.0.0.52:8080" {}
  balance = "hash"
  sticky { by = "{path}" }
}

# The same, by a table that is looked up: for many servers and many requests.
upstream "tabled" {
  server "10.0.0.61:8080" {}
  server "10.0.0.62:8080" {}
  balance = "maglev"
  sticky { by = "{client.ip}" }
}

# A server may stand for a name with many addresses; they are looked up again when their time is over.
upstream "found" {
  discover "dns" { name = "_http._tcp.app.example.com" }
}

site "*" {
  route "/*" { proxy = upstream.round }
  route "/busy/*" { proxy = upstream.busy }
  route "/fast/*" { proxy = upstream.fast }
  route "/many/*" { proxy = upstream.many }
  route "/cached/*" { proxy = upstream.cached }
  route "/tabled/*" { proxy = upstream.tabled }
  route "/found/*" { proxy = upstream.found }
}
