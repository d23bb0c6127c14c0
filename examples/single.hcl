# One application behind weir, on one machine: what most people need.

listener "http" {
  address = ":80"
}

site "www.example.com" {
  hosts = ["www.example.com", "example.com"]

  # A server needs no upstream block where there is only one and nothing more to say of it.
  route "/*" { proxy = "http://127.0.0.1:3000" }

  # The bare name leads to the one with www, whatever the path.
  redirect "example.com/*" { to = "http://www.example.com/{*}" }

  # Nobody but this machine gets to see the back door.
  route "/admin/*" {
    allow = ["127.0.0.0/8", "::1"]
    proxy = "http://127.0.0.1:3000"
  }

  # Tests of the above, run by `weir check` and before each reload.
  expect "GET /shoes" { route = "/*" }
  expect "GET /shoes" {
    host     = "example.com"
    location = "http://www.example.com/shoes"
  }
  expect "GET /admin/users" {
    client = "192.0.2.7"
    status = 403
  }
}
