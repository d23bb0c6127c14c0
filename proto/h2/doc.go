// Package h2 speaks HTTP/2 (RFC 9113, RFC 7541, RFC 8441): the server's half with clients, the client's half with
// servers.
package h2
