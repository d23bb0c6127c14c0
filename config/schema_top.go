package config

// language is the table of the whole language: what may stand at the top of a file.
func language() *block {
	return &block{
		doc: "What stands at the top of a file.",
		example: `trusted_proxies = ["10.0.0.0/8"]
include         = ["sites/*.hcl"]

listener "http" {
  address = ":80"
}

upstream "shop" {
  server "10.0.0.11:8080" {}
  server "10.0.0.12:8080" {}
}

site "shop.example.com" {
  route "/*" {
    proxy = upstream.shop
  }
}`,
		attrs: []attr{
			{name: "state_dir", kind: text, def: "/var/lib/weir", doc: "The folder for what weir keeps between runs, relative to that of the configuration file."},
			{name: "user", kind: text, vital: true, doc: "The user to become once all listeners are open; without it weir stays who it is."},
			{name: "grace", kind: duration, def: "30s", doc: "How long exchanges under way may take to end when weir stops or a listener goes."},
			{name: "watch", kind: boolean, def: "false", doc: "Reload when one of the files changes."},
			{name: "pseudonym", kind: text, defDoc: "one that weir chooses", doc: "The name of this process in Via, by which it knows a loop: at least 8 characters that tell nothing."},
			{name: "trusted_proxies", kind: networks, vital: true, laterOf: []string{"cloudflare", "cloudfront", "fastly", "akamai", "google"}, doc: "Networks of proxies whose X-Forwarded-For and Forwarded are believed; without it nobody's are."},
			{name: "trusted_fields", kind: text, vital: true, def: ForwardedX, oneOf: forwardedModes(), doc: "Which fields of trusted proxies are believed: X-Forwarded-For and its like, or Forwarded."},
			{name: "trusted_host", kind: boolean, vital: true, def: "false", doc: "X-Forwarded-Host of a trusted proxy decides on the site."},
			{name: "include", kind: texts, example: `["sites/*.hcl"]`, doc: "Further files, as patterns relative to the folder of this one, which hidden files do not fit; all files together are one configuration."},
		},
		blocks: []*block{
			listenerBlock(),
			upstreamBlock(),
			policyBlock(),
			siteBlock(),
			adminBlock(),
			logBlock(),
			acmeBlock(),
			laterBlock("egress", "The addresses and proxies that connections to servers leave by."),
			laterBlock("cache", "A store of answers."),
			laterBlock("geo", "Where addresses are on the map."),
			laterBlock("stream", "TCP and UDP, relayed."),
			laterBlock("ftp", "A gateway for FTP."),
			{name: "privacy", doc: "What logs, metrics and servers get to know of clients.", later: true, vital: true, many: true, repeat: true},
			laterBlock("tracing", "Where traces are sent."),
			laterBlock("cluster", "Several machines as one."),
		},
	}
}

func listenerBlock() *block {
	return &block{
		name: "listener", label: "its name", many: true,
		doc: "An address that weir accepts connections on. A configuration of one file with sites and without a listener has two: " +
			"`http` on port 80 and `https`, with tls, on port 443.",
		example: `listener "http" {
  address = ":80"
  timeouts {
    header = "10s"
    idle   = "3m"
  }
}`,
		attrs: []attr{
			{name: "address", kind: text, required: true, example: `":80"`, doc: `Where to listen: ":80" for every address of the machine, "127.0.0.1:8080", "[::1]:80", or "unix:/run/weir.sock".`},
			{name: "protocols", kind: texts, oneOf: []string{"h1", "h2", "h2c", "h3"}, defDoc: `["h1", "h2", "h3"] with tls, else ["h1"]`, doc: "The versions of HTTP that are spoken. h2 and h3 need tls; h2c is HTTP/2 without it, for clients that know before that it is spoken. h3 takes the UDP port of the same number."},
			{name: "mode", kind: fileMode, defDoc: "as the umask says", doc: "The file mode of a unix socket."},
			{name: "max_connections", kind: whole, min: 0, max: 1 << 30, defDoc: "no limit", doc: "How many connections may be open at one time; further ones are refused."},
			{name: "proxy_protocol", kind: text, def: "off", oneOf: []string{"off", "optional", "required"}, doc: "Whether connections begin with the client's address in the PROXY protocol, versions 1 and 2. Only trusted_proxies are believed: with optional, what others send is taken for the beginning of a request; with required, they are not served."},
		},
		blocks: []*block{
			{
				name: "timeouts", doc: "How long clients may take.",
				attrs: []attr{
					{name: "header", kind: duration, def: "10s", doc: "For a whole request head, from its first byte."},
					{name: "idle", kind: duration, def: "3m", doc: "For the next request on a connection that is kept open."},
					{name: "body_floor", kind: byteRate, def: "1KiB/s", doc: "How fast a body must move, either way: progress, not wall clock, ends a slow one."},
					{name: "tunnel", kind: duration, def: "1h", doc: "For silence on an upgraded connection, such as a WebSocket."},
				},
			},
			{
				name: "limits", doc: "How big request heads may be.",
				attrs: []attr{
					{name: "line", kind: size, def: "8KiB", doc: "The request line."},
					{name: "head", kind: size, def: "64KiB", doc: "The whole head."},
					{name: "fields", kind: whole, min: 1, max: 10000, def: "100", doc: "The number of field lines."},
					{name: "trailer", kind: size, def: "8KiB", doc: "The trailer section of a body."},
					{name: "streams", kind: whole, min: 1, max: 10000, def: "128", doc: "The requests that one connection may have under way at a time, with HTTP/2 and 3."},
				},
			},
			listenerTLSBlock(),
		},
	}
}

func adminBlock() *block {
	return &block{
		name: "admin",
		doc:  "The address for seeing and steering: metrics, status, reload.",
		example: `admin {
  listen = "127.0.0.1:9180"
}`,
		attrs: []attr{
			{name: "listen", kind: text, def: "127.0.0.1:9180", doc: `The address: "127.0.0.1:9180", "[::1]:9180", or ":9180" with users.`},
			{name: "users", kind: text, doc: "A file of names and password hashes (htpasswd, bcrypt), needed as soon as the address is not loopback; relative to the folder of the configuration file."},
			{name: "socket", kind: text, doc: "The path of a unix socket for the command line, relative to the folder of the configuration file."},
		},
	}
}

func logBlock() *block {
	return &block{
		name: "log", label: `its name; "events" is the log of what happens to weir itself, all others are access logs`, many: true,
		doc: "A place that lines go to: one for each exchange, or, of the events, one for each thing that happens to weir.",
		example: `log "access" {
  to     = "/var/log/weir/access.log"
  format = "json"
  rotate {
    size = "100MB"
    keep = 10
  }
}`,
		attrs: []attr{
			{name: "to", kind: text, def: "stdout", defDoc: `"stdout"; of the events "stderr"`, doc: `"stdout", "stderr", "syslog", "syslog://host:514" (UDP), "syslog+tcp://host:601", "syslog:///run/its.sock" (a unix socket, such as that of another daemon than "syslog" reaches), or the path of a file, relative to the folder of the configuration file.`},
			{name: "format", kind: template, def: "json", defDoc: `"json"; of the events "text"`, doc: `"json", "combined", "common", or a template such as "{client.ip} {status}"; of the events "text" or "json".`},
			{name: "level", kind: text, def: "info", oneOf: []string{"debug", "info", "warn", "error"}, doc: "Of the events alone: what is worth a line."},
			{name: "sample", kind: percent, min: 1, max: 100, def: "100%", doc: "How many of the exchanges that went well are logged; all others always are."},
			{name: "status", kind: statuses, defDoc: "all", example: `["5xx", 404]`, doc: "The statuses that are logged."},
			{name: "buffer", kind: size, def: "4MiB", doc: "What is held for a slow sink before lines are dropped and counted."},
		},
		blocks: []*block{{
			name: "rotate", doc: "When the file is put aside, and how many old ones are kept.",
			attrs: []attr{
				{name: "size", kind: size, zero: true, defDoc: "whatever its size", doc: "How big the file may become."},
				{name: "age", kind: duration, zero: true, defDoc: "whatever its age", doc: "A new file at each multiple of it since midnight UTC."},
				{name: "keep", kind: whole, min: 1, max: 100000, def: "10", doc: "How many old files are kept."},
			},
		}},
	}
}
