package main

// What everybody is configured with. @NAME@ is filled in: DIR of the run, ME of the program, FILES of the
// origin, ORIGIN's port, the PORT to listen on, the TLSPORT for TLS, and H3: what a proxy needs besides for
// HTTP/3 on the TLSPORT. That is there for the workload over HTTP/3 alone: it costs memory, and Alt-Svc fields.

const weirConf = `
listener "http" { address = "127.0.0.1:@PORT@" }
listener "https" {
  address   = "127.0.0.1:@TLSPORT@"
  protocols = ["h1", "h2"@H3@]
  tls {
    minimum     = "1.3"
    certificate = "@DIR@/cert.pem"
    key         = "@DIR@/key.pem"
  }
}
upstream "origin" {
  server "127.0.0.1:@ORIGIN@" {}
  health {
    path     = "/1k"
    interval = "1s"
  }
  keepalive = 2048
}
site "bench" {
  hosts = ["*"]
  route "/*" { proxy = upstream.origin }
}
admin {
  listen = "127.0.0.1:0"
  socket = "@ME@/admin.sock"
}
`

const weirLog = `
log "access" {
  to     = "@ME@/access.log"
  format = "json"
}
`

const nginxConf = `
worker_processes 1;
daemon off;
pid @ME@/nginx.pid;
error_log @ME@/error.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  server_tokens off;
  tcp_nodelay on;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path @ME@/body; proxy_temp_path @ME@/proxy;
  fastcgi_temp_path @ME@/f; uwsgi_temp_path @ME@/u; scgi_temp_path @ME@/s;
  upstream origin {
    server 127.0.0.1:@ORIGIN@;
    keepalive 2048;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:@PORT@ backlog=65535;
    listen 127.0.0.1:@TLSPORT@ ssl http2 backlog=65535;@H3@
    ssl_certificate @DIR@/cert.pem;
    ssl_certificate_key @DIR@/key.pem;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519;
    http2_max_concurrent_streams 128;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_request_buffering off;
      proxy_buffer_size 8k;
      proxy_buffers 16 16k;
      proxy_busy_buffers_size 128k;
      proxy_max_temp_file_size 0;
    }
  }
}
`

const haproxyConf = `
global
  nbthread 1
  maxconn 12000
  no strict-limits
defaults
  mode http
  timeout client 300s
  timeout http-keep-alive 300s
  timeout server 300s
  timeout connect 5s
  option http-keep-alive
  option splice-auto
  option forwardfor
  http-reuse always
backend origin
  option httpchk GET /1k
  server s1 127.0.0.1:@ORIGIN@ check inter 1s pool-max-conn -1
frontend http
  bind 127.0.0.1:@PORT@ backlog 65535
  bind 127.0.0.1:@TLSPORT@ ssl crt @DIR@/both.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3 curves X25519 backlog 65535@H3@
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend origin
`

// What the configurations have at H3. Both peers send many packets at once, as weir does; haproxy unasked.
const (
	weirH3    = `, "h3"`
	nginxH3   = "\n    listen 127.0.0.1:@TLSPORT@ quic; quic_gso on;"
	haproxyH3 = "\n  bind quic4@127.0.0.1:@TLSPORT@ ssl crt @DIR@/both.pem alpn h3 curves X25519"
)

// originConf takes an upload whole before it answers: it hands the request on, without its content, to a
// socket that says 204.
const originConf = `
worker_processes 1;
daemon off;
pid @ME@/nginx.pid;
error_log @ME@/error.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off;
  default_type text/plain;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  open_file_cache max=100 inactive=600s; open_file_cache_valid 600s;
  keepalive_timeout 300s; keepalive_requests 1000000000;
  client_max_body_size 0; client_body_buffer_size 11m;
  client_body_temp_path @ME@/body; proxy_temp_path @ME@/proxy;
  fastcgi_temp_path @ME@/f; uwsgi_temp_path @ME@/u; scgi_temp_path @ME@/s;
  server {
    listen 127.0.0.1:@ORIGIN@ backlog=65535;
    root @FILES@;
    location /up {
      proxy_pass http://unix:@ME@/taken.sock;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
  }
  server {
    listen unix:@ME@/taken.sock;
    return 204;
  }
}
`

// reportLua has wrk print its figures on one line.
const reportLua = `
local upload = tonumber(os.getenv("UPLOAD") or "0")
if upload > 0 then
  wrk.method = "PUT"
  wrk.body = string.rep("0123456789abcdef", upload / 16)
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %.1f %.1f\n", summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
`
