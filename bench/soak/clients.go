package main

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"weir/weirtest"
)

// biggest is the most content that is asked for or sent at once.
const biggest = 1 << 20

// A client asks again and again, and judges each answer.
type client struct {
	st      *stage
	http    *http.Client
	random  *rand.Rand
	pattern []byte
}

func (st *stage) client(seed int) *client {
	return &client{
		st: st, random: rand.New(rand.NewPCG(uint64(seed), 7)), pattern: weirtest.Pattern(biggest),
		http: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return st.dial(ctx)
		}}},
	}
}

// keep repeats what a client does until ctx ends.
func (c *client) keep(ctx context.Context, do func(context.Context, *client)) {
	defer c.http.CloseIdleConnections()
	for ctx.Err() == nil {
		do(ctx, c)
		pause(ctx, time.Duration(c.random.IntN(5))*time.Millisecond)
	}
}

// size is mostly small and sometimes big.
func (c *client) size() int {
	if c.random.IntN(10) == 0 {
		return c.random.IntN(biggest)
	}
	return c.random.IntN(4 << 10)
}

// download asks for some bytes. A GET may always be asked for again, so as long as a server lives an answer
// other than 200 is a lost request; one that is cut in the middle is not, where its server has just died.
func download(ctx context.Context, c *client) {
	n := c.size()
	r, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://soak/bytes/%d", n), nil)
	if err != nil {
		c.st.report.wrong("%v", err)
		return
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.st.report.wrong("lost: GET: %v", err)
		return
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode != http.StatusOK:
		c.st.report.wrong("lost: GET: %s", resp.Status)
	case !bytes.HasPrefix(c.pattern, got) || err == nil && len(got) != n:
		c.st.report.wrong("wrong content: %d bytes of %d", len(got), n)
	case err != nil:
		c.st.report.add("downloads cut with their server")
	default:
		c.st.report.add("downloads")
	}
}

// upload sends some bytes, with a length or in chunks, and compares what the server says that it got.
func upload(ctx context.Context, c *client) {
	content := c.pattern[:c.size()]
	body := io.Reader(bytes.NewReader(content))
	if c.random.IntN(2) == 0 {
		body = io.MultiReader(body) // hides the length
	}
	r, err := http.NewRequest(http.MethodPost, "http://soak/sum", body)
	if err != nil {
		c.st.report.wrong("%v", err)
		return
	}
	r.GetBody = nil // the client shall not send it a second time: that is weir's to decide
	resp, err := c.http.Do(r)
	if err != nil {
		c.st.report.wrong("lost: POST: %v", err)
		return
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	want := fmt.Sprintf("%d %08x\n", len(content), crc32.ChecksumIEEE(content))
	switch {
	case resp.StatusCode == http.StatusOK && string(text) == want:
		c.st.report.add("uploads")
	case resp.StatusCode == http.StatusBadGateway:
		c.st.report.add("uploads that died with their server")
	default:
		c.st.report.wrong("POST of %d bytes: %s %q, want %q", len(content), resp.Status, text, want)
	}
}

// readSlowly takes a big answer in small pieces with pauses.
func readSlowly(ctx context.Context, c *client) {
	conn, err := c.st.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.st.report.wrong("connect: %v", err)
		}
		return
	}
	defer conn.Close()
	conn.SetReadBuffer(8 << 10)
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET /bytes/%d HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n", 200<<10)
	var got []byte
	buf := make([]byte, 32<<10)
	for err == nil && ctx.Err() == nil {
		var n int
		n, err = conn.Read(buf)
		got = append(got, buf[:n]...)
		pause(ctx, 2*time.Millisecond)
	}
	_, content, ok := bytes.Cut(got, []byte("\r\n\r\n"))
	if ok && !bytes.HasPrefix(c.pattern, content) {
		c.st.report.wrong("wrong content for a slow reader after %d bytes", len(content))
	}
	c.st.report.add("slow readers")
}

// pieces are what clients break off in the middle of.
var pieces = []string{
	"",
	"GET /bytes/1000000 HTT",
	"GET /bytes/1000000 HTTP/1.1\r\nHost: soak\r\nX-A: ",
	"GET /bytes/1000000 HTTP/1.1\r\nHost: soak\r\n\r\n",
	"GET /slow/300 HTTP/1.1\r\nHost: soak\r\n\r\n",
	"GET /bytes/10 HTTP/1.1\r\nHost: soak\r\n\r\nGET /bytes/1000000 HTTP/1.1\r\nHost: soak\r\n\r\n",
	"POST /sum HTTP/1.1\r\nHost: soak\r\nContent-Length: 100000\r\n\r\nsome",
	"POST /sum HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5",
	"POST /sum HTTP/1.1\r\nHost: soak\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET /upgrade HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello",
}

// breakOff sends part of something and goes, in one of the ways to go.
func breakOff(ctx context.Context, c *client) {
	conn, err := c.st.dial(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, pieces[c.random.IntN(len(pieces))])
	pause(ctx, time.Duration(c.random.IntN(20))*time.Millisecond)
	switch c.random.IntN(3) {
	case 0:
		conn.SetLinger(0)
	case 1:
		conn.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(time.Second))
		io.Copy(io.Discard, conn)
	}
	c.st.report.add("broken off")
}
