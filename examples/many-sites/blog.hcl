site "blog.example.com" {
  use = [policy.public]
  route "/*" { proxy = "http://10.0.0.21:2368" }
}
