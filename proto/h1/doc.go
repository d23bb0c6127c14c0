// Package h1 speaks HTTP/1 (RFC 9110, RFC 9112): the server's half with clients, the client's half with
// servers.
//
// It is strict where tolerance means smuggling. Refused are, among others: Content-Length together
// with Transfer-Encoding, repeated or odd lengths, codings other than chunked, a bare CR, LF or NUL
// anywhere in a head, folded lines, white space before a colon, chunk sizes with anything but hex digits,
// and Host fields that contradict the target. What is passed on is always written anew from the parsed
// message; nothing is copied from one side to the other unseen but the content itself.
//
// The order of reading: server.go (connections), conn.go (the loop), early.go (what of it the poller does already),
// parse_request.go, respond.go; and towards servers transport.go (the pool), upconn.go (one round trip), answer.go, upload.go.
package h1
