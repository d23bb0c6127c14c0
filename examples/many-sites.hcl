# Many sites, a file for each. A file with an error takes out its own site alone; the others are served, and on a
# reload the broken one keeps its last good version.

include = ["many-sites/*.hcl"]

listener "http" { address = ":8080" }

# One more, only for this machine.
listener "local" { address = "127.0.0.1:8081" }

# Settings that the files share.
policy "public" {
  max_body = "10MB"
  response {
    set = { "X-Content-Type-Options" = "nosniff" }
  }
}

# What nobody else wants: any host.
site "*" {
  respond "/*" {
    status = 404
    body   = "There is no such site here.\n"
  }
}
