package config

import "time"

// A ListenerTLS is what encrypted connections of a listener are like where their site says nothing.
type ListenerTLS struct {
	Pos     Pos
	Default KeyPair // for clients that ask for no name or one that no site has; zero: they get no certificate
	Clients ClientTLS
	ECH     *ECH // nil: names in hellos are readable for everybody on the way
}

// An ECH has names in client hellos be encrypted (RFC 9849).
type ECH struct {
	Pos        Pos
	PublicName string // that everybody on the way sees instead
	Keep       int    // older keys that are accepted
}

// A ClientTLS is what is asked of clients.
type ClientTLS struct {
	Minimum string // "1.2" or "1.3"; "": as the listener says, which is "1.2" where it says nothing
	CA      string // a file of authorities, made absolute; "": as the listener says
	Verify  string // "off", "request", "require"; "": as the listener says
}

// Asks reports whether clients are asked for a certificate.
func (c *ClientTLS) Asks() bool { return c.Verify != "" && c.Verify != "off" }

// A KeyPair is the files of a certificate and its key, made absolute. They may be the same.
type KeyPair struct {
	Pos              Pos `json:"-"`
	Certificate, Key string
}

// A SiteTLS is where a site's certificate comes from, and what follows from having one.
type SiteTLS struct {
	Pos        Pos
	From       string  // FromACME, FromInternal, FromFiles, FromNowhere; "": FromACME
	Pair       KeyPair // with FromFiles
	Clients    ClientTLS
	NoRedirect bool           // what comes unencrypted is served as it is, instead of being sent to https
	HSTS       *time.Duration // 0: none; nil: a year, with FromInternal none
	OnDemand   *OnDemand      // nil: only names that the configuration knows get certificates
}

// An OnDemand says for which names, where the site's hosts have a wildcard, a certificate is got when a client asks for it.
// At least one of Allow and Ask is there; where both are, both have to agree.
type OnDemand struct {
	Pos       Pos
	Allow     []string // hosts, also with wildcards
	Ask       string   // URL
	PerMinute int      // new names
	Names     int      // in memory
	Wait      time.Duration
}

// An UpstreamTLS is how connections to servers are encrypted.
type UpstreamTLS struct {
	Pos        Pos
	CA         string // a file of authorities, made absolute; "": those of the system
	ServerName string // "": the server's name or address
	Minimum    string // "1.2" or "1.3"
	Pins       []string
	Insecure   bool    // certificates are not checked
	Pair       KeyPair // shown to servers; zero: none
}

// An ACME is how certificates are got from public authorities. The zero value means the defaults.
type ACME struct {
	Pos       Pos
	Email     string
	CAs       []string // names of known ones and URLs of directories
	Roots     string   // a file, made absolute; "": those of the system
	Profile   string
	Challenge string // "auto", "http-01", "tls-alpn-01", "dns-01"; "": "auto"
	Resolvers []string
	HTTPPort  int // 0: 80
	EABID     string
	EABKey    string `json:"-"`
	DNS       *ACMEDNS
}

// An ACMEDNS is how DNS records are set.
type ACMEDNS struct {
	Pos       Pos
	Kind      string // "rfc2136", "acme-dns", "exec", or an API such as "cloudflare"
	Server    string
	Zone      string
	KeyName   string
	Key       string `json:"-"`
	Algorithm string
	Username  string
	Password  string `json:"-"`
	Token     string `json:"-"`
	Subdomain string
	Program   string
	Args      []string
	Name      string
}
