package config

// Where certificates come from, as SiteTLS.From names it.
const (
	FromACME     = "auto"
	FromInternal = "internal"
	FromFiles    = "files"
	FromNowhere  = "off"
)

func versions() []string { return []string{"1.2", "1.3"} }

func verifyModes() []string { return []string{"off", "request", "require"} }

// clientAttrs are about the clients of an encrypted connection.
func clientAttrs(otherwise string) []attr {
	return []attr{
		{name: "minimum", kind: text, def: "", defDoc: cmpDoc(otherwise, `"1.2"`), oneOf: versions(), doc: "The oldest version of TLS that is spoken."},
		{name: "client_ca", kind: text, defDoc: cmpDoc(otherwise, ""), doc: "A file of the authorities (PEM) whose certificates clients may show, relative to the folder of the configuration file."},
		{name: "verify", kind: text, oneOf: verifyModes(), defDoc: cmpDoc(otherwise, `"require" with client_ca, else "off"`), doc: "Whether clients are asked for a certificate: they may have none (request), or need a valid one (require)."},
	}
}

func cmpDoc(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// pairAttrs are the files of one certificate.
func pairAttrs() []attr {
	return []attr{
		{name: "certificate", kind: text, doc: "A file with the certificate and its chain (PEM), relative to the folder of the configuration file. It is read anew when it changes."},
		{name: "key", kind: text, defDoc: "in the file of the certificate", doc: "A file with its private key (PEM)."},
	}
}

func listenerTLSBlock() *block {
	return &block{
		name: "tls",
		doc:  "Connections are encrypted: each site has its certificate, and names that no site has get none.",
		example: `listener "https" {
  address = ":443"
  tls {
    minimum = "1.3"
  }
}`,
		attrs:  append(clientAttrs(""), pairAttrs()...),
		blocks: []*block{echBlock()},
	}
}

func echBlock() *block {
	return &block{
		name: "ech",
		doc:  "Clients may encrypt the name that they ask for (Encrypted Client Hello). They find the key in the HTTPS record of the name, which `weir cert ech` prints.",
		example: `listener "https" {
  address = ":443"
  tls {
    ech { public_name = "cover.example.com" }
  }
}`,
		attrs: []attr{
			{name: "public_name", kind: text, required: true, example: `"cover.example.com"`, doc: "The name that everybody on the way sees instead. Its certificate is got as if a site had it, unless one has."},
			{name: "keep", kind: whole, min: 0, max: 16, def: "2", doc: "How many older keys are accepted, after `weir cert ech --rotate` has made another."},
		},
	}
}

func onDemandBlock() *block {
	return &block{
		name: "on_demand",
		doc:  "For names that fit one of the site's hosts with a wildcard, a certificate is got when the first client asks for it, if a rule allows the name. Where allow and ask are both there, both have to.",
		example: `site "customers" {
  hosts = ["*"]
  tls {
    on_demand { ask = "http://127.0.0.1:9000/is-customer" }
  }
  route "/*" { proxy = upstream.shop }
}`,
		attrs: []attr{
			{name: "allow", kind: hosts, defDoc: "as ask says", example: `["*.customers.example.com"]`, doc: "The names that are allowed; a wildcard stands for any first labels."},
			{name: "ask", kind: text, defDoc: "as allow says", doc: "A URL that is asked with ?domain= and the name, by GET: status 200 allows it, every other one does not. It has two seconds."},
			{name: "per_minute", kind: whole, min: 1, max: 10000, def: "10", doc: "How many new names per minute are ordered; further ones are refused."},
			{name: "names", kind: whole, min: 1, max: 1000000, def: "10000", doc: "How many names are kept in memory; further ones are refused."},
			{name: "wait", kind: duration, def: "10s", doc: "How long a handshake waits for its certificate, and no longer than timeouts.header of the listener. Who comes back later finds it."},
		},
	}
}

func siteTLSBlock() *block {
	return &block{
		name: "tls",
		doc:  "What the site's encrypted connections are like, where one word in the attribute tls does not say it all.",
		example: `site "shop.example.com" {
  tls {
    certificate = "/srv/shop/cert.pem"
    key         = "/srv/shop/key.pem"
  }
  route "/*" { proxy = upstream.shop }
}`,
		attrs: append(append([]attr{
			{name: "from", kind: text, oneOf: []string{FromACME, FromInternal, FromFiles, FromNowhere}, defDoc: `"files" with certificate, else "auto"`, doc: "Where the certificate comes from, as the attribute tls says it."},
		}, pairAttrs()...), append(clientAttrs("as the listener says"),
			attr{name: "redirect", kind: boolean, def: "true", doc: "Requests that come unencrypted are sent to https."},
			attr{name: "hsts", kind: duration, zero: true, defDoc: `"365d"; with "internal" none`, doc: "How long browsers shall come by https alone (Strict-Transport-Security)."},
		)...),
		blocks: []*block{onDemandBlock()},
	}
}

func upstreamTLSBlock() *block {
	return &block{
		name: "tls",
		doc:  "Connections to servers are encrypted, and their certificates checked.",
		example: `upstream "api" {
  server "api.internal:443" {}
  tls {
    ca          = "/srv/shop/ca.pem"
    server_name = "api.internal"
  }
}`,
		attrs: append([]attr{
			{name: "ca", kind: text, defDoc: "those of the system", doc: "A file of the authorities (PEM) that servers' certificates must come from."},
			{name: "server_name", kind: text, defDoc: "the server's name or address", doc: "The name that is asked for and that the certificate must have."},
			{name: "minimum", kind: text, def: "1.2", oneOf: versions(), doc: "The oldest version of TLS that is spoken."},
			{name: "pins", kind: texts, defDoc: "any key", example: `["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]`, doc: "The keys that a server may have, each as the SHA-256 of its public key in base64; what ca says holds besides."},
			{name: "verify", kind: boolean, def: "true", doc: "Certificates are checked. Without that anybody on the way can read and change what is said, unless pins tell the server's key."},
		}, clientPairAttrs()...),
	}
}

func clientPairAttrs() []attr {
	return []attr{
		{name: "certificate", kind: text, doc: "A file with the certificate that weir shows servers (PEM)."},
		{name: "key", kind: text, defDoc: "in the file of the certificate", doc: "A file with its private key (PEM)."},
	}
}

func acmeBlock() *block {
	return &block{
		name: "acme",
		doc:  "How certificates are got from public authorities, for sites whose tls is \"auto\". Without this block Let's Encrypt is asked.",
		example: `acme {
  email = "ops@example.com"
  dns "rfc2136" {
    server = "127.0.0.1:53"
  }
}`,
		attrs: []attr{
			{name: "email", kind: text, defDoc: "none", doc: "The address that authorities write to."},
			{name: "ca", kind: texts, defDoc: `["letsencrypt"], with email also "zerossl"`, example: `["letsencrypt", "https://ca.internal/acme/directory"]`, doc: `The authorities, asked in this order until one gives a certificate: "letsencrypt", "letsencrypt-staging", "zerossl", "google", or the URL of a directory.`},
			{name: "ca_roots", kind: text, defDoc: "those of the system", doc: "A file of the authorities (PEM) that vouch for the directories that are named by URL."},
			{name: "profile", kind: text, defDoc: "the authority's", doc: "The profile of the certificates, where authorities offer several."},
			{name: "challenge", kind: text, def: "auto", oneOf: []string{"auto", "http-01", "tls-alpn-01", "dns-01"}, doc: "How it is shown that a name leads here."},
			{name: "resolvers", kind: texts, defDoc: "those of the system", example: `["192.0.2.53:53"]`, doc: "The DNS servers by which names are checked and records waited for."},
			{name: "http_port", kind: whole, min: 1, max: 65535, def: "80", doc: "The port on which authorities look for answers; another one than 80 is for private authorities."},
		},
		blocks: []*block{
			{
				name: "eab", doc: "The account at the authority that weir's is bound to (external account binding).",
				attrs: []attr{
					{name: "id", kind: text, required: true, example: `"kid-1"`, doc: "Its id."},
					{name: "key", kind: text, required: true, example: `env("EAB_KEY")`, doc: "Its key, in base64url."},
				},
			},
			{
				name: "dns", label: `how records are set, for dns-01: by the protocol "rfc2136", a server of "acme-dns", a program, "exec", or the API of who runs the zone, "cloudflare", "desec", "digitalocean", "gandi", "hetzner" or "powerdns"`,
				doc: "Sets the DNS records that show whose a name is. Certificates with wildcards need it.",
				attrs: []attr{
					{name: "server", kind: text, doc: `Of rfc2136 the primary server, "192.0.2.53:53"; of acme-dns and powerdns the URL of its API; of the other APIs another URL than the usual one.`},
					{name: "zone", kind: text, defDoc: "the one that the name is in", doc: "Of rfc2136: the zone that is changed."},
					{name: "key_name", kind: text, defDoc: "updates are not signed", doc: "Of rfc2136: the name of the TSIG key."},
					{name: "key", kind: text, doc: "Of rfc2136: the TSIG key, in base64."},
					{name: "algorithm", kind: text, def: "hmac-sha256", oneOf: []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}, doc: "Of rfc2136: the algorithm of the TSIG key."},
					{name: "token", kind: text, example: `env("DNS_TOKEN")`, doc: "Of the APIs: a token that may change the zone's records."},
					{name: "username", kind: text, doc: "Of acme-dns."},
					{name: "password", kind: text, doc: "Of acme-dns."},
					{name: "subdomain", kind: text, doc: "Of acme-dns."},
					{name: "program", kind: text, doc: `Of exec: the whole path of a program that is run with "set" or "delete", the record's name and its text.`},
					{name: "args", kind: texts, doc: "Of exec: what comes before these."},
					{name: "name", kind: text, defDoc: "_acme-challenge of the name", doc: "The name whose record is set instead, where a CNAME record leads there."},
				},
			},
		},
	}
}
