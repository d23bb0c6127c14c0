package weirtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/weirtest/dialect"
)

// Curl stands in for curl where that would have to speak HTTP/3, which most builds of it do not. It knows the options
// that scripts use, says what curl says, and ends with curl's exit codes. Whatever is not about https it leaves to the
// curl that is there.
func Curl(args []string) int {
	o, err := parseCurl(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "curl (stand-in):", err)
		return 2
	}
	if !o.secure() {
		return realCurl(args)
	}
	if o.limit > 0 {
		time.AfterFunc(o.limit, func() { os.Exit(28) })
	}
	for i := range o.urls {
		if code := o.transfer(i); code != 0 {
			return code
		}
	}
	return 0
}

// realCurl runs the curl that comes after this one on the path.
func realCurl(args []string) int {
	_, path, _ := strings.Cut(os.Getenv("PATH"), ":")
	os.Setenv("PATH", path)
	cmd := exec.Command("curl", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var ended *exec.ExitError
	if err := cmd.Run(); errors.As(err, &ended) {
		return ended.ExitCode()
	} else if err != nil {
		return 2
	}
	return 0
}

// A curl is what a command line asks for.
type curl struct {
	urls, outputs []string
	fields        []string // "Name: value"
	method, data  string
	upload        string // a file
	cookies, jar  string
	write         string // after each transfer
	local         string // address
	heads, dump   bool   // heads are shown before the content
	squeezed      bool
	limit         time.Duration

	conns map[string]*dialect.Conn
	input map[string]*bufio.Reader
}

// flag takes in an option without a value; false: it is none.
func (o *curl) flag(name string) bool {
	switch name {
	case "s":
	case "i":
		o.heads = true
	case "I":
		o.heads, o.method = true, "HEAD"
	case "compressed":
		o.squeezed = true
	default:
		return false
	}
	return true
}

func (o *curl) value(name, v string) error {
	switch name {
	case "o":
		o.outputs = append(o.outputs, v)
	case "w":
		o.write = v
	case "H":
		o.fields = append(o.fields, v)
	case "X":
		o.method = v
	case "d":
		o.data = v
	case "b":
		o.cookies = v
	case "c":
		o.jar = v
	case "T":
		o.upload = v
	case "r":
		o.fields = append(o.fields, "Range: bytes="+v)
	case "e":
		o.fields = append(o.fields, "Referer: "+v)
	case "A":
		o.fields = append(o.fields, "User-Agent: "+v)
	case "D":
		o.dump = v == "-"
	case "interface":
		o.local = v
	case "m":
		d, err := time.ParseDuration(v + "s")
		o.limit = d
		return err
	default:
		return fmt.Errorf("option %q is not known", name)
	}
	return nil
}

func parseCurl(args []string) (*curl, error) {
	o := &curl{conns: map[string]*dialect.Conn{}, input: map[string]*bufio.Reader{}}
	if slices.Contains(args, "--unix-socket") {
		return o, nil
	}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		names, short := strings.CutPrefix(arg, "-")
		if !short {
			o.urls = append(o.urls, arg)
			continue
		}
		if long, ok := strings.CutPrefix(names, "-"); ok {
			if o.flag(long) {
				continue
			}
			if len(args) == 0 {
				return nil, fmt.Errorf("option %q is not known", long)
			}
			if err := o.value(long, args[0]); err != nil {
				return nil, err
			}
			args = args[1:]
			continue
		}
		rest, err := o.cluster(names, args)
		if err != nil {
			return nil, err
		}
		args = rest
	}
	return o, nil
}

// cluster reads "si" or "Hvalue"; a value may be the next argument.
func (o *curl) cluster(names string, args []string) ([]string, error) {
	for names != "" {
		name := names[:1]
		if names = names[1:]; o.flag(name) {
			continue
		}
		if names == "" && len(args) > 0 {
			names, args = args[0], args[1:]
		}
		return args, o.value(name, names)
	}
	return args, nil
}

func (o *curl) secure() bool { return len(o.urls) > 0 && strings.HasPrefix(o.urls[0], "https://") }

// connect opens the connection to a host, or finds the one that is open.
func (o *curl) connect(host string) (*dialect.Conn, *bufio.Reader, error) {
	if c := o.conns[host]; c != nil {
		return c, o.input[host], nil
	}
	pem, err := os.ReadFile(filepath.Join(os.Getenv("CURL_HOME"), "root.pem"))
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	name, _, _ := net.SplitHostPort(host)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dialect.H3(ctx, host, &net.UDPAddr{IP: net.ParseIP(o.local)}, &tls.Config{RootCAs: roots, ServerName: name})
	if err != nil {
		return nil, nil, err
	}
	o.conns[host], o.input[host] = c, bufio.NewReader(c)
	return c, o.input[host], nil
}

// transfer asks for one URL and returns curl's exit code.
func (o *curl) transfer(i int) int {
	u, err := url.Parse(o.urls[i])
	if err != nil {
		return 3
	}
	c, in, err := o.connect(u.Host)
	if err != nil {
		return 7
	}
	head, body, err := o.request(u, o.urls[i])
	if err != nil {
		return 26
	}
	go func() {
		c.Write(head)
		c.Write(body)
	}()
	p := &peer{conn: c, in: in, patience: programLimit, method: o.word()}
	var shown bytes.Buffer
	for p.first == "" || strings.HasPrefix(p.first, "HTTP/1.1 1") {
		if err := p.readHead(); err != nil {
			return 56
		}
		o.show(&shown, p)
	}
	content, err := p.readBody()
	if err := errors.Join(o.deliver(i, shown.Bytes(), o.plain(p, content)), o.keepCookies(p)); err != nil {
		return 23
	}
	fmt.Print(o.after(p, len(body)))
	if err != nil {
		return 18
	}
	return 0
}

func (o *curl) word() string {
	switch {
	case o.method != "":
		return o.method
	case o.data != "":
		return "POST"
	case o.upload != "":
		return "PUT"
	}
	return "GET"
}

// request is the text of a request.
func (o *curl) request(u *url.URL, raw string) (head, body []byte, err error) {
	target := raw[strings.Index(raw, u.Host)+len(u.Host):]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	fields := map[string]string{"Host": u.Host, "User-Agent": "curl/stand-in", "Accept": "*/*"}
	if body, err = o.content(fields); err != nil {
		return nil, nil, err
	}
	if o.squeezed {
		fields["Accept-Encoding"] = "gzip"
	}
	if cookies := o.sent(); cookies != "" {
		fields["Cookie"] = cookies
	}
	for _, f := range o.fields {
		name, _, _ := strings.Cut(f, ":")
		delete(fields, canonical(name))
		if strings.EqualFold(name, "Transfer-Encoding") {
			delete(fields, "Content-Length")
			body = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
	}
	head = fmt.Appendf(nil, "%s %s HTTP/1.1\r\n", o.word(), target)
	for name, value := range fields {
		head = fmt.Appendf(head, "%s: %s\r\n", name, value)
	}
	for _, f := range o.fields {
		if name, value, _ := strings.Cut(f, ":"); value != "" {
			head = fmt.Appendf(head, "%s:%s\r\n", name, value)
		}
	}
	return append(head, "\r\n"...), body, nil
}

func (o *curl) content(fields map[string]string) (body []byte, err error) {
	switch {
	case o.upload != "":
		if body, err = os.ReadFile(o.upload); err != nil {
			return nil, err
		}
	case o.data != "":
		body = []byte(o.data)
		fields["Content-Type"] = "application/x-www-form-urlencoded"
	default:
		return nil, nil
	}
	fields["Content-Length"] = fmt.Sprint(len(body))
	return body, nil
}

// sent are the cookies of the command line, or of a jar.
func (o *curl) sent() string {
	if strings.Contains(o.cookies, "=") {
		return o.cookies
	}
	jar, _ := os.ReadFile(o.cookies)
	return strings.TrimSpace(string(jar))
}

// keepCookies writes the jar: the cookies as they are sent.
func (o *curl) keepCookies(p *peer) error {
	if o.jar == "" {
		return nil
	}
	var cookies []string
	for _, f := range p.all {
		if strings.EqualFold(f.name, "Set-Cookie") {
			cookie, _, _ := strings.Cut(f.value, ";")
			cookies = append(cookies, cookie)
		}
	}
	return os.WriteFile(o.jar, []byte(strings.Join(cookies, "; ")), 0o600)
}

func (o *curl) show(w io.Writer, p *peer) {
	fmt.Fprintf(w, "%s\r\n", p.first)
	for _, f := range p.all {
		if !strings.EqualFold(f.name, "Transfer-Encoding") { // the dialect's
			fmt.Fprintf(w, "%s: %s\r\n", f.name, f.value)
		}
	}
	io.WriteString(w, "\r\n")
}

// plain is content without its compression.
func (o *curl) plain(p *peer, content []byte) []byte {
	if coding, _ := p.get("Content-Encoding"); !o.squeezed || coding != "gzip" {
		return content
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return content
	}
	out, _ := io.ReadAll(z)
	return out
}

// deliver writes what came to where it belongs.
func (o *curl) deliver(i int, head, content []byte) error {
	if o.dump {
		os.Stdout.Write(head)
	}
	if o.heads {
		content = slices.Concat(head, content)
	}
	if i < len(o.outputs) {
		return os.WriteFile(o.outputs[i], content, 0o644)
	}
	_, err := os.Stdout.Write(content)
	return err
}

// after is what -w says.
func (o *curl) after(p *peer, sent int) string {
	code := strings.Fields(p.first)[1]
	return strings.NewReplacer(
		`\n`, "\n", "%{http_code}", code, "%{size_upload}", fmt.Sprint(sent), "%{http_version}", "3",
	).Replace(o.write)
}
