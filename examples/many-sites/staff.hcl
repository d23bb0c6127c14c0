# Only on the listener that only this machine reaches.
site "staff.example.com" {
  on = [listener.local]
  route "/*" { proxy = "http://10.0.0.31:3000" }
}
