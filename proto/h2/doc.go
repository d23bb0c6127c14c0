// Package h2 speaks HTTP/2 (RFC 9113, RFC 7541, RFC 8441): the server's half with clients, the client's half with
// servers. It walks frames by itself; only the decoding of compressed field sections is golang.org/x/net's.
//
// It is as strict as proto/h1, and for the same reason: what it takes is written anew as HTTP/1 behind weir. Refused are,
// among others: field names in upper case or with anything but a token's bytes, control characters and white space at the
// ends of values, fields that concern an HTTP/1 connection, pseudo fields that are unknown, repeated or out of place,
// :authority that contradicts Host, and bodies of another length than Content-Length says. Push is neither offered nor
// taken; priorities are passed over.
//
// # The server's half
//
// A connection has one reader, which takes frames apart and never waits for anything but the client; each stream has a
// goroutine, which runs [weir.Serve]. An idle connection has neither a goroutine nor a buffer. Whoever has something to
// send appends it to the connection's output under its one mutex, and one of those who do so writes what has gathered, so
// that the frames of many streams leave together. Who sends a body waits in a queue: for room in the output, of which
// there is 128 KiB, or for the connection's window, of which each stream in turn gets a frame's worth.
//
// What a client sends of a body is kept by its stream, up to the stream's window: 64 KiB, and 256 KiB for up to eight
// streams whose bodies are being read. The connection's window is given back as bytes arrive, so that no stream holds up
// another one.
//
// What a client can make the server do for nothing is bounded by [Limits], by timeouts, and by a patience that every
// frame without use costs something of (patience.go): streams that it resets or has us reset, empty frames, settings,
// pings, small windows. A stream counts against Limits.Streams until its handler has ended, whatever has become of it.
//
// The order of reading: server.go, conn.go (a connection's life), receive.go and sections.go (frames that come), window.go
// (how much may be sent), stream.go (an exchange), respond.go, send.go and output.go (what is sent), tunnel.go (WebSocket);
// frame.go, fields.go and encode.go are both halves'.
//
// # The client's half
//
// It begins with transport.go.
package h2
