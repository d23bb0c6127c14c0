package fcgi

import (
	"encoding/binary"
	"errors"

	"weir"
)

// A record is eight bytes (version, type, request, length of the content, length of the padding, nothing), the content
// and the padding (FastCGI specification, section 3.3).
const (
	recordHead = 8
	maxContent = 65535
	version    = 1
	requestID  = 1 // one request at a time on each connection
)

// A recordType is what a record is for.
type recordType uint8

const (
	typeBegin  recordType = 1
	typeEnd    recordType = 3
	typeParams recordType = 4
	typeStdin  recordType = 5
	typeStdout recordType = 6
	typeStderr recordType = 7
)

const (
	roleResponder = 1
	flagKeep      = 1 // the server leaves the connection open
)

// Statuses of an end (section 5.5).
const (
	statusComplete   = 0
	statusBusy       = 1 // it takes one request per connection, and has one
	statusOverloaded = 2
	statusRole       = 3 // it does not serve what was asked for
)

// endSize is the content of an end: the status of the application, that of the protocol, three bytes of nothing.
const endSize = 8

var (
	errRecord  = errors.New("malformed FastCGI record")
	errRequest = errors.New("FastCGI record of a request that was not made")
	errType    = errors.New("FastCGI record of a type that does not belong here")
)

// appendRecordHead appends the head of a record whose n bytes of content follow.
func appendRecordHead(dst []byte, typ recordType, n int) []byte {
	return append(dst, version, byte(typ), 0, requestID, byte(n>>8), byte(n), 0, 0)
}

// appendBegin appends the record that begins a request.
func appendBegin(dst []byte, keep bool) []byte {
	var flags byte
	if keep {
		flags = flagKeep
	}
	return append(appendRecordHead(dst, typeBegin, 8), 0, roleResponder, flags, 0, 0, 0, 0, 0)
}

// A record is what the head of a record of an answer says.
type record struct {
	typ     recordType
	content int
	padding int
}

// parseRecord reads the head of a record, of which there must be recordHead bytes. It takes only what belongs into an
// answer.
func parseRecord(b []byte) (r record, err error) {
	r = record{recordType(b[1]), int(binary.BigEndian.Uint16(b[4:])), int(b[6])}
	switch {
	case b[0] != version:
		return record{}, errRecord
	case binary.BigEndian.Uint16(b[2:]) != requestID:
		return record{}, errRequest
	case r.typ == typeEnd && r.content != endSize:
		return record{}, errRecord
	case r.typ != typeStdout && r.typ != typeStderr && r.typ != typeEnd:
		return record{}, errType
	}
	return r, nil
}

// A paramWriter appends the variables of a request to out. No variable stands in two records: php-fpm reads each record
// by itself.
type paramWriter struct {
	out []byte
	at  int // where the present record begins
	err error
}

var errParam = errors.New("a variable of the request does not fit into a record")

func newParams(out []byte) paramWriter {
	return paramWriter{out: appendRecordHead(out, typeParams, 0), at: len(out)}
}

// add appends a variable.
func (w *paramWriter) add(name, value string) {
	if w.open(len(name), len(value)) {
		w.out = append(append(w.out, name...), value...)
	}
}

// open makes a variable of these lengths begin, whose name and value the caller appends; false: it is too long.
func (w *paramWriter) open(name, value int) bool {
	size := lengthSize(name) + lengthSize(value) + name + value
	if size > maxContent {
		w.err = errParam
		return false
	}
	if len(w.out)-w.at-recordHead+size > maxContent {
		w.close()
		w.at = len(w.out)
		w.out = appendRecordHead(w.out, typeParams, 0)
	}
	w.out = appendLength(appendLength(w.out, name), value)
	return true
}

// close writes the length of the present record into its head.
func (w *paramWriter) close() {
	binary.BigEndian.PutUint16(w.out[w.at+4:], uint16(len(w.out)-w.at-recordHead))
}

// finish ends the variables and returns all of it.
func (w *paramWriter) finish() ([]byte, error) {
	w.close()
	return appendRecordHead(w.out, typeParams, 0), w.err
}

// appendLength appends the length of a name or value: one byte, or four of which the first bit is set (section 3.4).
func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)|1<<31)
}

func lengthSize(n int) int {
	if n < 0x80 {
		return 1
	}
	return 4
}

// refusal is what it means that the server ended a request in that way without an answer. It has not acted on it.
func refusal(status byte) (text string, ok bool) {
	switch status {
	case statusComplete:
		return "", false
	case statusBusy:
		return "the server takes one request per connection only", true
	case statusOverloaded:
		return "the server is overloaded", true
	case statusRole:
		return "the server does not answer requests (it is no FastCGI responder)", true
	}
	return "the server ended the request in a way that is not known", true
}

// connectionFields are those of an answer that concern a connection, or weir itself: a script cannot set them.
func connectionField(id weir.FieldID) bool {
	return id == weir.FieldProxyAuthorization || id.Reserved() != ""
}
