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
		attrs: append(clientAttrs(""), pairAttrs()...),
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
