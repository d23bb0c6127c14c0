package h3

import (
	"strings"

	"weir"
)

// A staticField is an entry of QPACK's static table.
type staticField struct {
	name, value string
	id          weir.FieldID
}

// staticText is QPACK's static table (RFC 9204, appendix A): a line for each name, with the values of its entries. Where
// a name has entries in two places of the table, it has two lines.
const staticText = `:authority|
:path|/
age|0
content-disposition|
content-length|0
cookie|
date|
etag|
if-modified-since|
if-none-match|
last-modified|
link|
location|
referer|
set-cookie|
:method|CONNECT|DELETE|GET|HEAD|OPTIONS|POST|PUT
:scheme|http|https
:status|103|200|304|404|503
accept|*/*|application/dns-message
accept-encoding|gzip, deflate, br
accept-ranges|bytes
access-control-allow-headers|cache-control|content-type
access-control-allow-origin|*
cache-control|max-age=0|max-age=2592000|max-age=604800|no-cache|no-store|public, max-age=31536000
content-encoding|br|gzip
content-type|application/dns-message|application/javascript|application/json|application/x-www-form-urlencoded|image/gif|image/jpeg|image/png|text/css|text/html; charset=utf-8|text/plain|text/plain;charset=utf-8
range|bytes=0-
strict-transport-security|max-age=31536000|max-age=31536000; includesubdomains|max-age=31536000; includesubdomains; preload
vary|accept-encoding|origin
x-content-type-options|nosniff
x-xss-protection|1; mode=block
:status|100|204|206|302|400|403|421|425|500
accept-language|
access-control-allow-credentials|FALSE|TRUE
access-control-allow-headers|*
access-control-allow-methods|get|get, post, options|options
access-control-expose-headers|content-length
access-control-request-headers|content-type
access-control-request-method|get|post
alt-svc|clear
authorization|
content-security-policy|script-src 'none'; object-src 'none'; base-uri 'none'
early-data|1
expect-ct|
forwarded|
if-range|
origin|
purpose|prefetch
server|
timing-allow-origin|*
upgrade-insecure-requests|1
user-agent|
x-forwarded-for|
x-frame-options|deny|sameorigin`

var staticTable = func() (t [99]staticField) {
	n := 0
	for line := range strings.Lines(staticText) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		for _, value := range parts[1:] {
			t[n] = staticField{name: parts[0], value: value, id: weir.Identify(parts[0])}
			n++
		}
	}
	return t
}()

// Entries of the table that are written without looking for them.
const (
	staticAuthority     = 0
	staticPath          = 1 // "/"
	staticContentLength = 4
	staticDate          = 6
	staticConnect       = 15
	staticGet           = 17
	staticMethod        = 15
	staticPost          = 20
	staticHTTP          = 22
	staticHTTPS         = 23
	staticStatus        = 24
)

// staticByID is where the entries of a known name begin, and how many they are; 0 entries: the table lacks the name.
var staticByID = func() (t [256]struct{ at, n uint8 }) {
	for i := range staticTable {
		e := &t[staticTable[i].id]
		if staticTable[i].id == weir.FieldOther {
			continue
		}
		if e.n == 0 {
			e.at = uint8(i)
		}
		if int(e.at)+int(e.n) == i {
			e.n++
		}
	}
	return t
}()

// staticByStatus is the entry of a status; 0: the table lacks it.
var staticByStatus = func() (t [600]uint8) {
	for i := range staticTable {
		if e := &staticTable[i]; e.name == ":status" {
			t[int(e.value[0]-'0')*100+int(e.value[1]-'0')*10+int(e.value[2]-'0')] = uint8(i)
		}
	}
	return t
}()
