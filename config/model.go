// Package config is weir's configuration language: HCL, and the same tree as JSON.
//
// [Load] reads a file and everything that it includes, checks all of it against one table of blocks
// and attributes (schema.go), and returns a [Config] of plain Go types together with every diagnostic
// at once. Inheritance is applied already: what a [Route] says holds for it, wherever it was written.
// The parser's own types never leave this package.
//
// A broken part does not take the others down. A site with an error stays in the configuration with
// [Site.Broken] set; a broken listener or upstream is left out, and the sites that need it are broken
// with it. The same table makes doc/reference, so that the reference cannot drift from what is read.
package config

import (
	"net/netip"
	"os"
	"strconv"
	"time"
)

// A Config is a whole configuration, checked and complete with its defaults. It is not changed after
// Load has returned it. Lists are in the order in which they are written, included files where they
// are included.
type Config struct {
	StateDir       string         // made absolute; default "/var/lib/weir"
	User           string         // to become after binding; "": stay who we are
	Grace          time.Duration  // how long draining may take; default 30s
	Watch          bool           // reload when a file changes
	Pseudonym      string         // weir's name in Via, at least 8 characters; "": one that assembly chooses
	TrustedProxies []netip.Prefix // whose forwarding fields are believed
	TrustedFields  string         // which of them: ForwardedX (also Forwarded where there is none of them), ForwardedRFC7239, ForwardedBoth, ForwardedOff; default ForwardedX
	TrustedHost    bool           // X-Forwarded-Host of a trusted proxy decides on the site

	Listeners []*Listener // those that are usable
	Upstreams []*Upstream // those that are usable; also those that routes name by an address
	Sites     []*Site     // all, also those that are Broken
	Logs      []*Log      // access logs and the event log
	Admin     *Admin      // nil: no admin block is written
	ACME      *ACME       // nil: no acme block is written, or it is broken

	Files           []string // every file that was read, the main one first; for watching
	Folders         []string // folders in which include looks for files; for watching
	BrokenFiles     []string // files that cannot be read or parsed as a whole: what was in them before, and is not in here, may be there still
	LostFiles       []Broken // those of BrokenFiles of which nothing could be used
	BrokenACME      bool     // the acme block has errors: no certificates are to be got
	BrokenListeners []Broken
	BrokenUpstreams []Broken

	quoter *quoter // of the files
}

// A Broken is something that was left out because of an error.
type Broken struct {
	Name string
	Pos  Pos
	Why  Diagnostics
}

// A Pos is a place in a configuration file. Line and Column count from 1; 0 means unknown.
type Pos struct {
	File         string // as it was named
	Line, Column int
}

// String returns "weir.hcl:12".
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// A Listener is an address that weir accepts connections on.
type Listener struct {
	Name           string
	Pos            Pos
	Address        string      // ":80", "127.0.0.1:8080", "[::1]:80", "unix:/run/weir.sock"
	Mode           os.FileMode // of a unix socket; 0: as the umask says
	MaxConnections int         // 0: no limit
	Timeouts       ListenerTimeouts
	Limits         ListenerLimits
	TLS            *ListenerTLS // nil: connections are not encrypted
	ProxyProtocol  string       // "optional", "required"; "": off
	Protocols      []string     // of "h1", "h2", "h2c", "h3"; nil: all that its TLS allows for, without TLS "h1"
}

// ListenerTimeouts bound how long a client may take. Zero values mean the protocol's defaults.
type ListenerTimeouts struct {
	Header    time.Duration // for a whole request head; default 10s
	Idle      time.Duration // for the next request on a kept connection; default 3m
	BodyFloor int64         // bytes per second that a body must move at; default 1 KiB/s
	Tunnel    time.Duration // for silence on an upgraded connection; default 1h
}

// ListenerLimits bound the size of heads, in bytes. Zero values mean the protocol's defaults.
type ListenerLimits struct {
	Line    int // a request line; default 8 KiB
	Head    int // a whole head; default 64 KiB
	Fields  int // number of field lines; default 100
	Trailer int // a trailer section; default 8 KiB
	Streams int // requests under way on one connection; default 128
}

// An Admin says where the API, the metrics and the dashboard are.
type Admin struct {
	Pos    Pos
	Listen string // "127.0.0.1:9180" (the default), "[::1]:9180", ":9180"
	Users  string // path of an htpasswd file; set where Listen is not loopback; made absolute
	Socket string // path of a unix socket for the command line; ""; none
}

// EventLog is the name of the log of what happens to weir itself; every other log is an access log.
const EventLog = "events"

// A Log is a place that lines go to.
type Log struct {
	Name   string // EventLog: events; all others: exchanges
	Pos    Pos
	At     Pos     `json:"-"` // of To, or of the log where that is not written
	To     string  // "stdout", "stderr", "syslog", "syslog://host[:514]", "syslog+tcp://host[:601]", or the absolute path of a file
	Format string  // "json", "combined", "common", or a template; of events "json" or "text"
	Level  string  // of events only: "debug", "info", "warn", "error"; default "info"
	Rotate Rotate  // of files
	Sample float64 // share of the exchanges that went well which are logged, above 0 to 1; 0: all
	Status string  // which statuses are logged: "404,5xx"; "": all
	Buffer int     // bytes held for a slow sink; default 4 MiB
}

// A Rotate says when a log's file is put aside and how many old ones are kept.
type Rotate struct {
	Size int64         // bytes; 0: whatever its size
	Age  time.Duration // 0: whatever its age
	Keep int           // old files; default 10
}
