package weir

// A Cause is the closed list of why an exchange did not go as it should. The same code stands in
// the access log, as a metric label, in /status and in `weir cause`; doc/causes.md is made of it.
type Cause uint8

// The causes. Their meaning and remedy stand in the table below.
const (
	CauseNone Cause = iota
	CauseInternal

	CauseRequestLine
	CauseRequestHeader
	CauseRequestFraming
	CauseRequestHost
	CauseRequestPath
	CauseRequestVersion
	CauseRequestTooLong
	CauseRequestHeaderTooLarge
	CauseRequestBody
	CauseRequestBodyTooLarge
	CauseExpectation
	CauseClientGone
	CauseClientIdle
	CauseClientHeaderTimeout
	CauseClientBodyTimeout
	CauseClientWriteTimeout
	CauseClientDeadline
	CauseMethodRefused
	CauseMisdirected

	CauseNoSite
	CauseNoRoute
	CauseSiteBroken
	CauseDenied
	CauseLoop
	CauseFixed
	CauseExpression

	CauseNoServer
	CauseNoHealthyServer
	CauseQueueFull
	CauseQueueTimeout
	CauseUpstreamDNS
	CauseUpstreamConnect
	CauseUpstreamConnectTimeout
	CauseUpstreamUnreachable
	CauseUpstreamReset
	CauseUpstreamClosed
	CauseUpstreamWrite
	CauseUpstreamHeaderTimeout
	CauseUpstreamBodyTimeout
	CauseUpstreamBodyCut
	CauseUpstreamHeader
	CauseUpstreamFraming
	CauseUpstreamUpgrade
	CauseUpstreamProtocol
	CauseUpstreamTLSExpired
	CauseUpstreamTLSNotYetValid
	CauseUpstreamTLSUnknownAuthority
	CauseUpstreamTLSNameMismatch
	CauseUpstreamTLSPinMismatch
	CauseUpstreamTLSBadCertificate
	CauseUpstreamTLSCertificateAsked
	CauseUpstreamTLSCertificateDenied
	CauseUpstreamTLSNameDenied
	CauseUpstreamTLSVersion
	CauseUpstreamTLSProtocol
	CauseUpstreamTLSHandshake
	CauseUpstreamTLSNotTLS
	CauseStopping
	CauseOverload
	causeCount
)

type causeInfo struct {
	code    string
	side    Side
	status  int
	meaning string
	remedy  string
}

var causes = [causeCount]causeInfo{
	CauseNone:     {"", SideWeir, 0, "nothing went wrong", ""},
	CauseInternal: {"weir.internal", SideWeir, 500, "weir could not go on: a defect, or a limit of the machine", "look at the event log for the error of the same time and report it"},

	CauseRequestLine:           {"client.request_line", SideClient, 400, "the request line is malformed", "see which client sent it; weir follows RFC 9112 without tolerance"},
	CauseRequestHeader:         {"client.header", SideClient, 400, "a header field line is malformed: a bare CR or LF, a folded line, white space before the colon, or a byte that may not stand there", "see which client sent it; such requests are used for smuggling"},
	CauseRequestFraming:        {"client.framing", SideClient, 400, "the length of the body is ambiguous: Content-Length together with Transfer-Encoding, several or odd lengths, or an unknown coding", "see which client sent it; such requests are used for smuggling"},
	CauseRequestHost:           {"client.host", SideClient, 400, "the Host field is missing, repeated or malformed, or contradicts the request target", "send one Host field that names the site"},
	CauseRequestPath:           {"client.path", SideClient, 400, "the path is malformed, leads above the root, or is one for another route to servers that drop parameters (;v=1) or take %2F for a slash", `send a path that stays below /; where the note of the log line names a route whose rules the path would evade, as /login;jsessionid=1 does beside the routes "/login" and "/*", write "~ ^/login(;|$)" in the place of "/login"`},
	CauseRequestVersion:        {"client.version", SideClient, 505, "the HTTP version is not one that weir speaks", "use HTTP/1.1"},
	CauseRequestTooLong:        {"client.target_too_long", SideClient, 414, "the request line is longer than the limit", "raise limits.line of the listener, or send long data in the body"},
	CauseRequestHeaderTooLarge: {"client.header_too_large", SideClient, 431, "the request head, or the number of its fields, exceeds the limit", "raise limits.head or limits.fields of the listener; large cookies are the usual reason"},
	CauseRequestBody:           {"client.body", SideClient, 400, "the request body ended too early or is malformed, or a record of TLS in it was damaged on its way", "see whether the client broke off its upload"},
	CauseRequestBodyTooLarge:   {"client.body_too_large", SideClient, 413, "the request body is larger than the limit", "raise max_body of the site or route"},
	CauseExpectation:           {"client.expectation", SideClient, 417, "the Expect field asks for something other than 100-continue", "do not send Expect"},
	CauseClientGone:            {"client.gone", SideClient, 499, "the client closed its connection before it had the whole answer", "if there are many: answers are too slow for somebody's patience, or a load balancer in front has a shorter timeout"},
	CauseClientIdle:            {"client.idle", SideClient, 408, "nobody said anything on an upgraded connection, such as a WebSocket, for too long", "raise timeouts.tunnel of the listener if there may be longer pauses"},
	CauseClientHeaderTimeout:   {"client.header_timeout", SideClient, 408, "the request head did not arrive in time", "raise timeouts.header of the listener if honest clients are that slow"},
	CauseClientBodyTimeout:     {"client.body_timeout", SideClient, 408, "the request body arrived more slowly than the floor", "lower timeouts.body_floor of the listener if honest clients are that slow"},
	CauseClientWriteTimeout:    {"client.write_timeout", SideClient, 499, "the client took the answer more slowly than the floor", "lower timeouts.body_floor of the listener if honest clients are that slow"},
	CauseClientDeadline:        {"client.deadline", SideClient, 408, "the time that a client of gRPC had given for its call (grpc-timeout) was over", "see why the server takes longer, or have the client give it more time"},
	CauseMethodRefused:         {"client.method", SideClient, 405, "the method is not served here", "CONNECT and TRACE are refused: weir is no forward proxy"},
	CauseMisdirected:           {"client.misdirected", SideClient, 421, "the connection was encrypted for another site, and this one asks more of its clients", "the client comes back on a connection of its own"},

	CauseNoSite:     {"route.no_site", SideClient, 404, "no site of the listener has that host", "add the host to a site, or a site with hosts = [\"*\"]; `weir explain URL` tells the nearest one"},
	CauseNoRoute:    {"route.no_route", SideClient, 404, "the site has no route for that request", "`weir explain URL` tells why each route lost"},
	CauseSiteBroken: {"route.site_broken", SideWeir, 503, "the configuration of the site is broken, and there is no last good version of it", "`weir check` says what is wrong; /status has it, too"},
	CauseDenied:     {"access.denied", SideClient, 403, "an address list refused the client", "see allow and deny of the site and route"},
	CauseLoop:       {"route.loop", SideClient, 508, "the request has been through this weir before", "an upstream leads back to weir: mend its address"},
	CauseFixed:      {"route.fixed", SideWeir, 500, "the route answers with a fixed failure", "it was configured so: see respond of the route"},
	CauseExpression: {"route.expression", SideWeir, 500, "a when expression would have cost more than one request may", "the note of the log line names the route: simplify its expression, or see which client sends so much"},

	CauseNoServer:                     {"upstream.no_server", SideUpstream, 503, "the upstream has no server at all: its names have not been resolved to any address yet", "check the name of the server; /status shows the resolver's last error"},
	CauseNoHealthyServer:              {"upstream.no_healthy_server", SideUpstream, 503, "every server of the upstream is out of service", "/status shows why each is out"},
	CauseQueueFull:                    {"upstream.queue_full", SideUpstream, 503, "all servers are at their limit and the queue is full", "add servers, or raise queue.per_server or queue.length"},
	CauseQueueTimeout:                 {"upstream.queue_timeout", SideUpstream, 503, "no server had room within the queue's time limit", "add servers, or raise queue.per_server or queue.timeout"},
	CauseUpstreamDNS:                  {"upstream.dns", SideUpstream, 502, "the server's name could not be resolved", "check the name and the resolver; /status shows the error"},
	CauseUpstreamConnect:              {"upstream.connect_refused", SideUpstream, 502, "the server refused the connection", "see whether the server runs and listens on that address and port"},
	CauseUpstreamConnectTimeout:       {"upstream.connect_timeout", SideUpstream, 504, "the server did not accept the connection in time", "a firewall drops packets, the server is overloaded, or timeouts.connect is too short"},
	CauseUpstreamUnreachable:          {"upstream.unreachable", SideUpstream, 502, "there is no way to the server", "check routes, network and address; for a unix socket its path and permissions"},
	CauseUpstreamReset:                {"upstream.reset", SideUpstream, 502, "the server reset the connection before it had answered", "see the server's own log of that time: it crashed or refused the request"},
	CauseUpstreamClosed:               {"upstream.closed", SideUpstream, 502, "the server closed the connection before it had answered", "see the server's own log of that time; its keep-alive timeout should be longer than keepalive_idle"},
	CauseUpstreamWrite:                {"upstream.write", SideUpstream, 502, "the request could not be sent to the server", "see the server's own log of that time"},
	CauseUpstreamHeaderTimeout:        {"upstream.first_byte_timeout", SideUpstream, 504, "the server did not begin to answer in time", "the server is slow or stuck; raise timeouts.first_byte of the upstream if it may be that slow"},
	CauseUpstreamBodyTimeout:          {"upstream.idle_timeout", SideUpstream, 504, "the server stopped in the middle of its answer", "raise timeouts.idle of the upstream for streams with long pauses"},
	CauseUpstreamBodyCut:              {"upstream.body_cut", SideUpstream, 502, "the server's answer ended before its announced length", "see the server's own log of that time"},
	CauseUpstreamHeader:               {"upstream.header", SideUpstream, 502, "the head of the server's answer is malformed or too large", "mend the server; `weir explain` and the event log quote the line"},
	CauseUpstreamFraming:              {"upstream.framing", SideUpstream, 502, "the length of the server's answer is ambiguous or malformed", "mend the server"},
	CauseUpstreamUpgrade:              {"upstream.upgrade", SideUpstream, 502, "the server switched to another protocol than asked for, or without being asked", "mend the server"},
	CauseUpstreamProtocol:             {"upstream.protocol", SideUpstream, 502, "the server broke the rules of HTTP/2 or HTTP/3, or does not speak it", "see whether the server speaks that version on that port; if it does, mend it"},
	CauseUpstreamTLSExpired:           {"upstream.tls_expired", SideUpstream, 502, "the server's certificate has expired, or one of its chain", "renew it; see also whether weir's clock is right"},
	CauseUpstreamTLSNotYetValid:       {"upstream.tls_not_yet_valid", SideUpstream, 502, "the server's certificate is not valid yet", "see whether the clocks of weir and of who made the certificate are right"},
	CauseUpstreamTLSUnknownAuthority:  {"upstream.tls_unknown_authority", SideUpstream, 502, "the server's certificate comes from no authority that weir trusts", "name the authority in tls.ca of the upstream, or have the server send the whole chain"},
	CauseUpstreamTLSNameMismatch:      {"upstream.tls_name_mismatch", SideUpstream, 502, "the server's certificate is for other names", "set tls.server_name of the upstream to a name that it has"},
	CauseUpstreamTLSPinMismatch:       {"upstream.tls_pin_mismatch", SideUpstream, 502, "the server's key is none of those that are pinned", "if the server has a new key on purpose, add it to tls.pins of the upstream"},
	CauseUpstreamTLSBadCertificate:    {"upstream.tls_bad_certificate", SideUpstream, 502, "the server's certificate is malformed, too weak (SHA-1, or RSA of less than 2048 bits) or not meant for servers", "have it made anew; clients look at the subject alternative names alone"},
	CauseUpstreamTLSCertificateAsked:  {"upstream.tls_certificate_asked", SideUpstream, 502, "the server wants a certificate of weir, and there is none", "name one in tls.certificate of the upstream"},
	CauseUpstreamTLSCertificateDenied: {"upstream.tls_certificate_denied", SideUpstream, 502, "the server refused weir's certificate", "see the server's own log of that time: it trusts another authority, or the certificate has expired"},
	CauseUpstreamTLSNameDenied:        {"upstream.tls_name_denied", SideUpstream, 502, "the server does not know the name that it was asked for", "set tls.server_name of the upstream to a name that it has"},
	CauseUpstreamTLSVersion:           {"upstream.tls_version", SideUpstream, 502, "the server speaks no version of TLS that weir does", "it is older than TLS 1.2, or tls.minimum of the upstream asks for more than it has"},
	CauseUpstreamTLSProtocol:          {"upstream.tls_protocol", SideUpstream, 502, "the server does not speak the protocol that the upstream asks for", "see protocol of the upstream"},
	CauseUpstreamTLSHandshake:         {"upstream.tls_handshake", SideUpstream, 502, "the server and weir did not agree on how to encrypt", "the event log has the alert; see the server's own log of that time"},
	CauseUpstreamTLSNotTLS:            {"upstream.tls_not_tls", SideUpstream, 502, "the server does not speak TLS on that port", "take the tls block of the upstream away, or name the port that speaks it"},
	CauseStopping:                     {"weir.stopping", SideWeir, 503, "weir is being stopped", "send traffic elsewhere before the stop"},
	CauseOverload:                     {"weir.overload", SideWeir, 503, "a limit of weir itself is reached", "raise the limit of open files, or add machines"},
}

// String returns the cause's code, such as "upstream.connect_refused"; "" for CauseNone.
func (c Cause) String() string { return causes[c].code }

// Side returns whose doing the cause is.
func (c Cause) Side() Side { return causes[c].side }

// Status returns the status that a client is answered with.
func (c Cause) Status() int { return causes[c].status }

// Meaning returns one sentence on what happened.
func (c Cause) Meaning() string { return causes[c].meaning }

// Remedy returns what to do about it.
func (c Cause) Remedy() string { return causes[c].remedy }

// Public returns the text a stranger may read: the status and its phrase.
func (c Cause) Public() string {
	s := causes[c].status
	return itoa(s) + " " + StatusText(s) + "\n"
}

// Causes returns every cause but CauseNone, in order.
func Causes() []Cause {
	out := make([]Cause, 0, causeCount-1)
	for c := CauseNone + 1; c < causeCount; c++ {
		out = append(out, c)
	}
	return out
}
