package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// findPrograms makes sure of the paths of programs that the caller named: each proxy runs in a folder of its own.
func (s *settings) findPrograms(works []work) (err error) {
	for _, w := range works {
		if w.own() && s.loader == "" {
			return errors.New(w.name + " needs -load")
		}
	}
	for _, path := range []*string{&s.weir, &s.nginx, &s.haproxy, &s.loader} {
		if !strings.Contains(*path, "/") {
			continue // to be looked for in PATH, or not given
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// ownNames lists the workloads whose load is our own.
func ownNames() string {
	var out []string
	for _, w := range works() {
		if w.own() {
			out = append(out, w.name)
		}
	}
	return strings.Join(out, " and ")
}

// loadOwn runs bench/load for some seconds, on the core that we have.
func (b *bench) loadOwn(ctx context.Context, w work, p *proxy, seconds int) (measurement, error) {
	over := "resumed"
	if w.h3 {
		over = "h3"
	}
	cmd := exec.CommandContext(ctx, b.loader, "-over", over, fmt.Sprintf("-connections=%d", w.conns),
		fmt.Sprintf("-streams=%d", w.streams), fmt.Sprintf("-seconds=%d", seconds), w.url(p))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return measurement{}, fmt.Errorf("load: %w: %s", err, out)
	}
	m, err := figures(out)
	if err != nil {
		return m, fmt.Errorf("load: %w", err)
	}
	return m, nil
}

// ifH3 is conf where the peer says that it was built for HTTP/3, else "".
func ifH3(conf string, tell ...string) string {
	out, _ := exec.Command(tell[0], tell[1:]...).CombinedOutput()
	if !builtForH3(string(out)) {
		return ""
	}
	return conf
}

// builtForH3 looks for HTTP/3 in what `nginx -V` or `haproxy -vv` prints.
func builtForH3(told string) bool {
	for word := range strings.FieldsSeq(told) {
		switch word {
		case "--with-http_v3_module", "+QUIC", "USE_QUIC=1", "QUIC=1":
			return true
		}
	}
	return false
}
