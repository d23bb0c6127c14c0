package fcgi

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"weir"
)

// FuzzHead checks that a head that is accepted is within the limits, has no field of a connection's and nothing that
// could break out of its line, and that its end is found however it comes.
func FuzzHead(f *testing.F) {
	for _, head := range []string{
		"\n", "\r\n", "Status: 404 Not Found\r\nContent-Type: text/html\r\n\r\n", "Location: /a\n\n", "Content-Length: 5\nX: y\n\nhello",
		"A:b\r\nConnection: close\r\n\r\n", "A: b\n c\n\n", "A: b\r\r\n\r\n", "Transfer-Encoding: chunked\n\n",
	} {
		f.Add(head)
	}
	lim := Limits{Head: 1000, Fields: 5}
	f.Fuzz(func(t *testing.T, input string) {
		n := headEnd([]byte(input), 0)
		grown := -1
		for i := 0; i < len(input) && grown < 0; i++ {
			grown = headEnd([]byte(input[:i+1]), i)
		}
		if n != grown {
			t.Fatalf("the head ends at %d, and byte by byte at %d", n, grown)
		}
		if n < 0 {
			return
		}
		var r weir.Response
		length, fault := parseHead(input[:n], &lim, &r)
		if fault != nil {
			if fault.Side != weir.SideUpstream || fault.StatusCode() != 502 || fault.Err == nil {
				t.Fatalf("%+v", fault)
			}
			return
		}
		if r.Status < 200 || r.Status > 599 || length < -1 || r.Header.Len() > lim.Fields {
			t.Fatalf("%d, %d, %d fields", r.Status, length, r.Header.Len())
		}
		for _, h := range r.Header.Fields() {
			if connectionField(h.ID) || h.ID != weir.Identify(h.Name) || strings.ContainsAny(h.Name+h.Value, "\r\n\x00") || h.Name == "" || strings.TrimSpace(h.Name) != h.Name {
				t.Fatalf("%+v", h)
			}
			if h.Line && !strings.Contains(input, h.Name+": "+h.Value+"\r\n") {
				t.Fatalf("%+v is no line of %q", h, input)
			}
		}
	})
}

// readRecords is what an answer on the wire says, read in the simplest way: its content, the error output, whether it
// has ended, and whether it is malformed.
func readRecords(b []byte) (content, complaints []byte, ended, bad bool) {
	quiet := false
	for len(b) >= recordHead {
		n, padding := int(b[4])<<8|int(b[5]), int(b[6])
		typ := recordType(b[1])
		if b[0] != 1 || b[2] != 0 || b[3] != 1 || typ != typeStdout && typ != typeStderr && typ != typeEnd || typ == typeEnd && n != 8 || typ == typeStdout && quiet && n > 0 {
			return content, complaints, false, true
		}
		whole := len(b) >= recordHead+n+padding
		body := b[recordHead:min(len(b), recordHead+n)]
		switch typ {
		case typeStdout:
			content = append(content, body...)
			quiet = n == 0
		case typeStderr:
			complaints = append(complaints, body...)
		case typeEnd:
			return content, complaints, whole, false
		}
		if !whole {
			break
		}
		b = b[recordHead+n+padding:]
	}
	return content, complaints, false, false
}

// FuzzRecords checks that an answer is read as the simple way reads it, in whatever pieces it comes and is asked for.
func FuzzRecords(f *testing.F) {
	for _, wire := range []string{out("\nok") + done, rec(typeStdout, "abc", 3) + rec(typeStderr, "oh\n", 1) + done, out("a") + out("") + out("b"), rec(typeEnd, "1234567", 0), single("abcdef") + done} {
		f.Add([]byte(wire), uint8(1), uint8(3))
		f.Add([]byte(wire), uint8(255), uint8(255))
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece, most uint8) {
		wantContent, wantComplaints, ended, bad := readRecords(wire)
		var lines, wantLines []string
		u := &conn{errors: errorLines{to: func(line string) { lines = append(lines, line) }}}
		var content []byte
		var err error
		rest := bytes.NewReader(wire)
		for err == nil || err == errMore {
			var span []byte
			span, err = u.take(int(most) + 1)
			content = append(content, span...)
			if err != errMore {
				continue
			}
			u.grab()
			n, rerr := rest.Read(u.room()[:int(piece)+1])
			if rerr == io.EOF {
				break
			}
			u.w += n
		}
		u.release()
		u.errors.finish()
		all := errorLines{to: func(line string) { wantLines = append(wantLines, line) }}
		all.write(wantComplaints)
		all.finish()
		if !slices.Equal(lines, wantLines) {
			t.Fatalf("complaints: %q, want %q", lines, wantLines)
		}
		if !bytes.Equal(content, wantContent) {
			t.Fatalf("%q, want %q", content, wantContent)
		}
		if ended != (err == errEnd) || bad != isMalformed(err) {
			t.Fatalf("ended %v, malformed %v: %v", ended, bad, err)
		}
	})
}

// FuzzFind checks that no path leads out of the root, to a file of another kind, or through a folder that its normal form
// does not name.
func FuzzFind(f *testing.F) {
	for _, path := range []string{"/a.php", "/a.php/b", "/a/", "/a/../b.php", "/a%2Fb.php", "/%2e%2e/a.php", "/a%20b.php/c%2Fd", "//a//b.php//c"} {
		f.Add(path)
	}
	s := &scripts{root: "/srv", index: "index.php", suffix: ".php", remote: true}
	f.Fuzz(func(t *testing.T, path string) {
		sc, ok := s.find(path)
		if !ok {
			return
		}
		normal, _ := weir.Normalize(path)
		if !strings.HasSuffix(sc.name, ".php") || sc.name[0] != '/' || sc.info != "" && sc.info[0] != '/' {
			t.Fatalf("%q: %+v", path, sc)
		}
		for i := range len(sc.name + sc.info) {
			if isControl((sc.name + sc.info)[i]) {
				t.Fatalf("%q: %+v", path, sc)
			}
		}
		segments := strings.Split(sc.name[1:], "/")
		for _, segment := range segments {
			if segment == "" || segment == "." || segment == ".." {
				t.Fatalf("%q: %+v", path, sc)
			}
		}
		named := strings.FieldsFunc(normal, func(r rune) bool { return r == '/' })
		if len(segments) > len(named)+1 {
			t.Fatalf("%q leads through %q", path, segments)
		}
	})
}
