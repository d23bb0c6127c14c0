// Package weirtest runs behaviour scripts: what weir does, told as the exchange of bytes between clients,
// weir and origins.
//
// A script is a txtar archive in testdata/script. Its first line is the sentence that is tested. Then come
// the steps, one a line, carried out strictly in order, and after them the files: the configuration weir.hcl,
// configurations of nginx, whatever else is needed.
//
//	# The answer of the origin reaches the client.
//	origin a
//	weir
//	client c
//	c> GET /x HTTP/1.1
//	c> Host: example.test
//	c>
//	a< GET /x HTTP/1.1
//	a< Host: example.test
//	a> HTTP/1.1 200 OK
//	a> Content-Length: 2
//	a>
//	a>> ok
//	c< HTTP/1.1 200 OK
//	c body ok
//
// # Modes
//
// A script runs several times, once in each of [Modes]: its clients speak unencrypted HTTP/1.1 (h1), the same in
// TLS (https), HTTP/2 (h2), and HTTP/3 (h3). The listeners get a certificate for it, clients trust it, curl too, and
// http://{{http}} becomes https://. {{scheme}} is what URLs begin with, {{version}} the version as in Via, {{protocol}} as in logs. A
// script that is not for all of them says so on a line near the top, with the reason:
//
//	only h1,https: the bytes of HTTP/1 are what it tests
//
// Scripts always speak as HTTP/1 does: package dialect makes of it what the version at hand has for it. There several
// requests of a client are streams of one connection, "closed" means that the stream has ended, fields that concern
// the connection are never sent and need not come, and what curl prints is brought into the form of HTTP/1.
//
// # Peers
//
//	origin NAME full         an address that neither accepts nor refuses
//	origin NAME [unix]       an origin whose every byte the script sends; {{NAME}} is its address
//	server NAME [unix|local|v6] an origin that answers by itself; see Server
//	server NAME tls CERT [asks CA]   ... that speaks TLS, and wants a certificate of its clients
//	nginx NAME [PARAMETER...]  a real nginx; the file NAME.conf holds the contents of its server block, PARAMETERs are
//	                         those of its listen, such as ssl http2
//	weir [FLAG...]           start weir on weir.hcl; {{http}} is the address of its listener "http"
//	weir broken              ... although it has errors
//	client NAME [LISTENER]   connect to weir (or, with an @, to an address)
//	authority NAME           a CA of the script's own: NAME.pem
//	certificate NAME by CA for HOST... [expired|early]   NAME.pem and NAME.key; {{pin-NAME}} is its key's pin
//
// Without a file weir.hcl, a site for any host leads to an upstream of all origins and servers. A
// configuration without listener or admin block gets one.
//
// # Bytes
//
//	NAME> TEXT               send TEXT and CRLF
//	NAME>> TEXT              send TEXT as it is; @N is N bytes of a pattern
//	NAME chunk TEXT          send TEXT as a chunk
//	NAME file FILE           send what stands in a file
//	NAME< LINE               a line with HTTP/1 in it reads a whole head; its first line must be LINE
//	NAME< Field: VALUE       that head has this field
//	NAME< !Field             it has no such field
//	NAME<                    it has no field but those named
//	NAME<< TEXT              the next bytes are TEXT
//	NAME body TEXT           the content that belongs to the last head is TEXT
//	NAME body-ends           the content ends too early
//	NAME trailer Field: V    a field that followed the content; without a field: there was no other
//	NAME find TEXT           read until TEXT has come
//	NAME closed              nothing more comes: the other side has closed (or reset)
//	NAME close               close; also "half-close" and "abort" (a reset)
//	NAME accept [AS]         wait for the next connection to an origin; from now on it is NAME, or AS
//	NAME idle                nobody has connected since
//
// Sends that follow each other leave in one write; "NAME flush" ends one. TEXT knows \r \n \t \\ \* \@ and
// \xHH; in what is expected, * stands for anything.
//
// # Programs and the rest
//
//	$ COMMAND                run by sh in the script's directory; must succeed
//	exit N                   ... or exit with N
//	| LINE                   a line of its output, in this order; !| LINE: no such line
//	until $ COMMAND          the same again and again until all holds
//	tally N PATH [FIELD...]  N requests one after another; prints for each different answer how many
//	load NAME N PATH         N clients that keep asking until "unload NAME", which prints as tally does
//	answers FILE             one case a line: STATUS closed|kept REQUEST [=> BODY]
//	reload [FILE]            FILE becomes weir.hcl; `weir reload`; must succeed
//	signal NAME              TERM, HUP, USR1 to weir
//	stopped [N]              weir exits by itself, with code N
//	kept N                   wait until weir keeps N connections to servers that nobody uses
//	timed                    the script measures time: it is left out under the race detector
//	patience N               wait for up to N seconds from here on
//	kill NAME, revive NAME   the origin's address refuses, and accepts again
//	NAME sick, NAME well     what a server answers at /health
//	NAME saw N               a server has seen N requests (but /health) since it was last asked
package weirtest
