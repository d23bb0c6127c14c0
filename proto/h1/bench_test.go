package h1

import (
	"testing"

	"weir"
)

const benchRequest = "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:31901\r\n\r\n"

const benchResponse = "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Sat, 21 Nov 2026 07:07:06 GMT\r\nContent-Type: text/plain\r\n" +
	"Cache-Control: public, max-age=3600\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Seq: 00000001\r\nContent-Length: 1024\r\n\r\n"

func BenchmarkParseRequest(b *testing.B) {
	var r weir.Request
	var f framing
	lim := Limits{}.orDefaults()
	b.ReportAllocs()
	for b.Loop() {
		r.Header.Reset()
		if headEnd([]byte(benchRequest), 0) < 0 {
			b.Fatal()
		}
		if parseRequest(benchRequest, nil, &lim, &r, &f) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkParseResponse(b *testing.B) {
	var r weir.Response
	var f framing
	lim := Limits{}.orDefaults()
	b.ReportAllocs()
	for b.Loop() {
		r.Header.Reset()
		if parseResponse(benchResponse, nil, &lim, "GET", &r, &f) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	var r weir.Response
	var f framing
	lim := Limits{}.orDefaults()
	parseResponse(benchResponse, nil, &lim, "GET", &r, &f)
	dst := make([]byte, 0, 4096)
	for b.Loop() {
		dst = appendResponseHead(dst[:0], r.Status, &r.Header)
	}
}

func BenchmarkHeadEnd(b *testing.B) {
	buf := []byte(benchResponse)
	for b.Loop() {
		headEnd(buf, 0)
	}
}
