package poll

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// The bytes in front come first, whichever way they are asked for, and then the connection is what it was.
func TestPrefixed(t *testing.T) {
	each(t, func(t *testing.T, below Conn, far net.Conn) {
		if Prefixed(below, nil) != below {
			t.Error("a connection with nothing in front of it is another one")
		}
		c := Prefixed(below, []byte("abc"))
		buf := make([]byte, 2)
		if c.WaitReadable() != nil || c.Silent() || c.Idle(taskFunc(func() {})) {
			t.Fatal("there is something to read, and it does not say so")
		}
		if n, err := c.TryRead(buf); string(buf[:n]) != "ab" || err != nil {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		if n, err := c.Read(buf); string(buf[:n]) != "c" || err != nil {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		if _, err := c.TryRead(buf); err != ErrAgain {
			t.Fatalf("behind what stands in front: %v, want ErrAgain", err)
		}
		woke := make(chan struct{})
		sleep(t, c, taskFunc(func() { close(woke) }))
		far.Write([]byte("x"))
		<-woke
		if n, err := c.Read(buf); string(buf[:n]) != "x" || err != nil {
			t.Fatalf("read %q, %v", buf[:n], err)
		}
		must2(t, c, "there", far)
	})
}

func TestPrefixedCancel(t *testing.T) {
	each(t, func(t *testing.T, below Conn, _ net.Conn) {
		c := Prefixed(below, []byte("abc"))
		c.Cancel()
		if _, err := c.TryRead(make([]byte, 1)); err != ErrCanceled {
			t.Errorf("read: %v, want ErrCanceled", err)
		}
		if err := c.WaitReadable(); err != ErrCanceled {
			t.Errorf("wait: %v, want ErrCanceled", err)
		}
		if _, err := c.Write([]byte("x")); err != ErrCanceled {
			t.Errorf("write: %v, want ErrCanceled", err)
		}
	})
}

// A splice sees through to the socket, on both sides, but never past the bytes in front.
func TestPrefixedSplice(t *testing.T) {
	make2 := kinds["poller"](t)
	src, in := make2(t)
	dst, out := make2(t)
	defer src.Close()
	defer dst.Close()
	data := randomBytes(3, 1<<20)
	in.Write(data[:3])
	from, to := Prefixed(src, []byte("ab")), Prefixed(dst, []byte("cd"))
	if n, err := to.Splice(from, 3, second); n != 0 || err != ErrNoSplice {
		t.Fatalf("past the bytes in front: %d, %v", n, err)
	}
	from.Read(make([]byte, 2))
	go writePieces(in, data[3:])
	got := make(chan []byte)
	go func() {
		p := make([]byte, len(data))
		io.ReadFull(out, p)
		got <- p
	}()
	if n, err := to.Splice(from, int64(len(data)), second); n != int64(len(data)) || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	if !bytes.Equal(<-got, data) {
		t.Fatal("the spliced bytes differ")
	}
}
