package config

func upstreamBlock() *block {
	return &block{
		name: "upstream", label: "its name, for upstream.NAME", many: true,
		doc: "A named set of servers that can answer the same requests.",
		example: `upstream "shop" {
  server "10.0.0.11:8080" { weight = 2 }
  server "10.0.0.12:8080" {}
  server "10.0.1.11:8080" { backup = true }

  balance = "least-request"
  health {
    path     = "/healthz"
    interval = "2s"
    expect   = [200, 204]
  }
}`,
		attrs: []attr{
			{name: "balance", kind: text, def: RoundRobin, oneOf: []string{RoundRobin, Random, LeastRequest, LeastTime, Hash, Maglev}, laterOf: []string{"nearest"}, doc: "How the server for a request is chosen."},
			{name: "slow_start", kind: duration, zero: true, defDoc: "none", doc: "How long a server that comes back takes to get its full share."},
			{name: "keepalive", kind: whole, min: 0, max: 1 << 20, def: "1024", doc: "How many idle connections to each server are kept; 0: none."},
			{name: "keepalive_idle", kind: duration, def: "60s", doc: "How long an idle connection is kept."},
			{name: "host", kind: template, def: "pass", doc: `The Host that servers see: "pass" for the client's, "server" for the server's own address, or a template.`},
			{name: "protocol", kind: text, def: H1, oneOf: []string{H1, H2, H2C, H3, FastCGIProtocol, AutoProtocol}, doc: "The protocol that is spoken with servers: HTTP/1.1, HTTP/2 with tls or without it (h2c), HTTP/3, or FastCGI. With \"auto\" each server chooses between HTTP/2 and HTTP/1.1 when a connection is encrypted (ALPN); without tls that is HTTP/1.1."},
			{name: "proxy_protocol", kind: text, def: "off", oneOf: []string{"off", "v1", "v2"}, doc: "Connections begin with the client's address in the PROXY protocol. Then none is kept for other clients."},
			{name: "first_lookup", kind: duration, def: "5s", doc: "How long requests wait for the very first addresses of servers that are given by name."},
			laterAttr("egress", "Where connections to the servers leave from."),
		},
		blocks: []*block{
			serverBlock(),
			discoverBlock(),
			stickyBlock(),
			healthBlock(),
			outlierBlock(),
			retryBlock(),
			queueBlock(),
			timeoutsBlock("How long servers may take.", "5s", "60s", "60s"),
			{name: "refresh", doc: "Bounds for the time between two look-ups of a name; the TTL decides between them.", attrs: []attr{
				{name: "min", kind: duration, def: "5s", doc: "At least so long."},
				{name: "max", kind: duration, def: "5m", doc: "At most so long."},
			}},
			upstreamTLSBlock(),
			fastcgiBlock(),
		},
	}
}

func timeoutsBlock(doc, connect, firstByte, idle string) *block {
	as := ""
	if connect == "" {
		as = "as the upstream says"
	}
	return &block{
		name: "timeouts", doc: doc,
		attrs: []attr{
			{name: "connect", kind: duration, def: connect, defDoc: as, doc: "For a connection to a server."},
			{name: "first_byte", kind: duration, def: firstByte, defDoc: as, doc: "From the end of the request to the head of the answer."},
			{name: "idle", kind: duration, def: idle, defDoc: as, doc: "For silence within an answer."},
		},
	}
}

func serverBlock() *block {
	return &block{
		name: "server", label: `its address: "10.0.0.11:8080", "name:80", "[::1]:80" or "unix:/run/app.sock"; a name is resolved again when its time is over`, many: true,
		doc: "One server of an upstream.",
		attrs: []attr{
			{name: "address", kind: text, defDoc: "the label", doc: "The address, where the label is only a name; for addresses that come from env()."},
			{name: "weight", kind: whole, min: 1, max: 1000, def: "1", doc: "Its share compared with the others."},
			{name: "backup", kind: boolean, def: "false", doc: "It is asked only where no other can be."},
			{name: "max_connections", kind: whole, min: 0, max: 1 << 20, defDoc: "queue.per_server", doc: "How many requests it gets at one time."},
			laterAttr("location", "Where it is on the map."),
		},
	}
}

func discoverBlock() *block {
	return &block{
		name: "discover", label: `"dns"`,
		doc: "Servers that are found, not written down.",
		attrs: []attr{
			{name: "name", kind: text, required: true, example: `"_http._tcp.api.internal"`, doc: `The name: "_http._tcp.api.internal" asks for SRV, "api.internal:8080" for A and AAAA.`},
		},
	}
}

func stickyBlock() *block {
	return &block{
		name: "sticky",
		doc:  "Keeps a client at its server: by a cookie, or, with hash and maglev, by a value of the request.",
		attrs: []attr{
			{name: "cookie", kind: text, defDoc: `"weir_" and the upstream's name`, doc: "The name of the cookie that says which server."},
			{name: "by", kind: template, defDoc: "the client's address", doc: `What is hashed, with balance = "hash" or "maglev": the same value, the same server.`},
			{name: "path", kind: text, def: "/", doc: "The cookie's path."},
			{name: "domain", kind: text, defDoc: "the host alone", doc: "The cookie's domain."},
			{name: "ttl", kind: duration, zero: true, defDoc: "until the browser is closed", doc: "How long the cookie lasts."},
			{name: "secure", kind: boolean, def: "false", doc: "The cookie is sent over TLS alone."},
			{name: "http_only", kind: boolean, def: "true", doc: "Scripts cannot read the cookie."},
			{name: "same_site", kind: text, oneOf: []string{"lax", "strict", "none"}, defDoc: "not said", doc: "The cookie's SameSite."},
		},
	}
}

func healthBlock() *block {
	return &block{
		name: "health",
		doc:  "Active checks: weir asks each server whether it works.",
		attrs: []attr{
			{name: "tcp", kind: boolean, def: "false", doc: "Only connect, ask nothing."},
			{name: "grpc", kind: boolean, def: "false", doc: "Ask gRPC's health service (grpc.health.v1.Health/Check); for protocol = \"h2\" and \"h2c\"."},
			{name: "grpc_service", kind: text, defDoc: "the server as a whole", doc: "The service that gRPC's health service is asked for."},
			{name: "path", kind: text, def: "/", doc: "The path that is asked for."},
			{name: "method", kind: text, def: "GET", doc: "The method."},
			{name: "host", kind: text, defDoc: "the server's address", doc: "The Host."},
			{name: "headers", kind: pairs, doc: "Further header fields."},
			{name: "interval", kind: duration, def: "5s", doc: "Between two checks of one server."},
			{name: "timeout", kind: duration, def: "2s", doc: "For one check."},
			{name: "expect", kind: statuses, def: "200-399", doc: "The statuses that are good."},
			{name: "match", kind: text, defDoc: "anything will do", doc: "What must stand in the first 64 KiB of the answer."},
			{name: "rise", kind: whole, min: 1, max: 1000, def: "2", doc: "How many good checks in a row bring a server back."},
			{name: "fall", kind: whole, min: 1, max: 1000, def: "3", doc: "How many bad checks in a row take it out."},
			laterAttr("tls", "Check over TLS."),
		},
	}
}

func outlierBlock() *block {
	return &block{
		name: "outlier",
		doc:  "Passive ejection: a server that misbehaves gets nothing for a while.",
		attrs: []attr{
			{name: "errors", kind: whole, min: 1, max: 1 << 20, def: "5", doc: "How many failures in a row eject: no connection, no answer, or a status of 500 and more."},
			{name: "within", kind: duration, def: "10s", doc: "The time within which they are counted."},
			{name: "eject", kind: duration, def: "30s", doc: "For how long the first time; it doubles each further time, up to 16-fold."},
			{name: "max_ejected", kind: percent, min: 1, max: 100, def: "50%", doc: "How many of the servers may be out at one time."},
		},
	}
}

func retryBlock() *block {
	return &block{
		name: "retry",
		doc:  "When another server is asked: never for a request that a server may have acted on.",
		attrs: []attr{
			{name: "attempts", kind: whole, min: 1, max: 20, def: "3", doc: "How many servers are asked for one request, the first one included; 1: no retries."},
			{name: "budget", kind: percent, min: 1, max: 100, def: "20%", doc: "How many of all requests may be retries, so that a failing upstream is not asked twice as much; those after a refused connection do not count."},
			{name: "min_per_second", kind: whole, min: 1, max: 1 << 20, def: "10", doc: "How many retries are always allowed."},
		},
	}
}

func queueBlock() *block {
	return &block{
		name: "queue",
		doc:  "Overload: requests wait a little, then the answer is 503.",
		attrs: []attr{
			{name: "per_server", kind: whole, min: 0, max: 1 << 20, defDoc: "no limit", doc: "How many requests each server gets at one time."},
			{name: "length", kind: whole, min: 0, max: 1 << 24, def: "0", doc: "How many requests may wait; the surplus is refused at once."},
			{name: "timeout", kind: duration, def: "2s", doc: "How long one may wait."},
		},
	}
}

func fastcgiBlock() *block {
	return &block{
		name: "fastcgi",
		doc:  "How requests become calls of scripts, with protocol = \"fastcgi\".",
		example: `upstream "php" {
  server "unix:/run/php/php-fpm.sock" {}
  protocol = "fastcgi"
  fastcgi {
    root = "/srv/shop"
  }
}`,
		attrs: []attr{
			{name: "root", kind: text, def: "/var/www/html", doc: "The folder of the scripts, as the server sees it."},
			{name: "remote", kind: boolean, def: "false", doc: "The folder is on another machine: weir does not look whether a script exists."},
			{name: "index", kind: text, def: "index.php", doc: "The script of a folder."},
			{name: "split", kind: text, def: ".php", doc: "What the first segment of a path ends with that names a script; the rest is PATH_INFO."},
			{name: "env", kind: pairs, doc: "Further variables, or other values for those there are."},
			{name: "keepalive", kind: whole, min: 0, max: 1 << 16, def: "0", doc: "How many idle connections are kept. Each holds a process of the server, so it must be less than there are."},
		},
	}
}
