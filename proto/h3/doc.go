// Package h3 speaks HTTP/3 (RFC 9114, RFC 9204, RFC 9220): the server's half with clients, the client's half with
// servers.
//
// QUIC itself is quic-go's, and no other package of weir knows it. What runs over QUIC's streams is weir's own: frames,
// field sections, the rules for both, and the way between a stream and an exchange. Field sections are written and read
// with QPACK's static table alone, so that no section waits for another and nobody can make weir remember anything.
//
// It is strict where tolerance means smuggling, as package h1 is. Refused are, among others: names with upper case,
// fields of an HTTP/1 connection, CR, LF and NUL anywhere, lengths that are repeated or do not fit the content, and an
// authority that contradicts Host.
//
// The order of reading: server.go (sockets), conn.go (connections), control.go (what the peer says of the connection),
// work.go (one exchange), message.go (frames of a message), fields.go and qpack.go (heads), respond.go; and towards
// servers transport.go (the pool), upconn.go (one connection), round.go (one exchange).
package h3
