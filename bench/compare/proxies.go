package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A proxy is one of those that are compared.
type proxy struct {
	name    string
	file    string // its configuration
	conf    string
	h3      string // what the configuration has besides for HTTP/3; "": cannot
	command []string
	tell    []string // prints its version
	values  map[string]string
	variant bool // of weir, for some workloads alone
}

// proxies returns weir, its variants and its peers, each configured to do the same work: one route to one
// server over kept connections, no limits in the way, no access log.
func proxies(s settings, values map[string]string) []*proxy {
	with := func(name string) map[string]string {
		v := map[string]string{"ME": filepath.Join(values["DIR"], name)}
		for k, text := range values {
			v[k] = text
		}
		return v
	}
	weir := s.weir
	return []*proxy{
		{name: "weir", file: "weir.hcl", conf: weirConf, h3: weirH3, command: []string{weir, "run", "-c", "weir.hcl"}, tell: []string{weir, "version"}, values: with("weir")},
		{name: "weir+log", file: "weir.hcl", conf: weirConf + weirLog, command: []string{weir, "run", "-c", "weir.hcl"}, tell: []string{weir, "version"}, values: with("weir-log"), variant: true},
		{name: "nginx", file: "nginx.conf", conf: nginxConf, h3: ifH3(nginxH3, s.nginx, "-V"), command: []string{s.nginx, "-p", "@ME@", "-c", "@ME@/nginx.conf"}, tell: []string{s.nginx, "-v"}, values: with("nginx")},
		{name: "haproxy", file: "haproxy.cfg", conf: haproxyConf, h3: ifH3(haproxyH3, s.haproxy, "-vv"), command: []string{s.haproxy, "-db", "-f", "@ME@/haproxy.cfg"}, tell: []string{s.haproxy, "-v"}, values: with("haproxy")},
	}
}

func (p *proxy) version() string {
	out, err := exec.Command(p.tell[0], p.tell[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	if err != nil {
		line = err.Error()
	}
	if p.h3 == "" && !p.variant {
		line += " (without HTTP/3)"
	}
	return p.name + ": " + line
}

// start runs the proxy on core 0, as w needs it, and waits until it passes on an answer.
func (p *proxy) start(w work) (*program, error) {
	dir := p.values["ME"]
	os.RemoveAll(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	besides := ""
	if w.h3 {
		besides = p.h3
	}
	conf := fill(strings.ReplaceAll(p.conf, "@H3@", besides), p.values)
	if err := os.WriteFile(filepath.Join(dir, p.file), []byte(conf), 0o644); err != nil {
		return nil, err
	}
	args := make([]string, len(p.command))
	for i, a := range p.command {
		args[i] = fill(a, p.values)
	}
	running, err := launch("0", dir, args...)
	if err != nil {
		return nil, err
	}
	if err := awaitAnswer(running, "127.0.0.1:"+p.values["PORT"], "/1k", 1024); err != nil {
		running.stop()
		return nil, err
	}
	return running, nil
}

// startOrigin runs the nginx that answers, on core 1, over the files that are asked for.
func startOrigin(dir string, values map[string]string) (*program, error) {
	root := filepath.Join(dir, "files")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	for name, size := range map[string]int{"1k": 1 << 10, "64k": 64 << 10, "10m": 10 << 20} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(strings.Repeat("0123456789abcdef", size/16)), 0o644); err != nil {
			return nil, err
		}
	}
	own := filepath.Join(dir, "origin")
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, err
	}
	v := map[string]string{"ME": own, "FILES": root}
	for k, s := range values {
		v[k] = s
	}
	if err := os.WriteFile(filepath.Join(own, "nginx.conf"), []byte(fill(originConf, v)), 0o644); err != nil {
		return nil, err
	}
	p, err := launch("1", own, "nginx", "-p", own, "-c", own+"/nginx.conf")
	if err != nil {
		return nil, err
	}
	if err := awaitAnswer(p, "127.0.0.1:"+values["ORIGIN"], "/1k", 1024); err != nil {
		p.stop()
		return nil, fmt.Errorf("origin: %w", err)
	}
	return p, nil
}

// awaitAnswer asks until the answer is right.
func awaitAnswer(p *program, address, path string, size int) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := ask(address, path, size)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("ended by itself: %s", p.output.String())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("does not serve: %w", err)
		}
	}
}
