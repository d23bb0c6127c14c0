package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

const adminPatience = time.Minute

// askAdmin posts body to a path at the admin address of a running weir.
func askAdmin(ctx context.Context, address, path string, body io.Reader) (status int, text []byte, err error) {
	return question{method: http.MethodPost, path: path, body: body, patience: adminPatience}.ask(ctx, address)
}

// A question is a request to the admin address of a running weir.
type question struct {
	method, path string
	body         io.Reader
	patience     time.Duration
	otherwise    string // a command that needs no admin address; "": weir reload --pid
}

// ask returns what the weir at an address answers.
func (q question) ask(ctx context.Context, address string) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.patience)
	defer cancel()
	client, url := adminClient(address)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, q.method, url+q.path, q.body)
	if err != nil {
		return 0, nil, fmt.Errorf("--admin %q: not an address", address)
	}
	answer, err := client.Do(req)
	if err != nil {
		return 0, nil, failed(q.unanswered(address, err))
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil, failed(fmt.Errorf("%s: %w", address, err))
	}
	return answer.StatusCode, text, nil
}

// unanswered says why nobody at the admin address answered, and what to do about it.
func (q question) unanswered(address string, err error) error {
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%s: %w\nthe socket is for the user and the group that weir runs as; --admin names the admin address, if it has one", address, reason(err))
	}
	otherwise := cmp.Or(q.otherwise, "a HUP (weir reload --pid)")
	return fmt.Errorf("no weir answers at %s: %w\nthe admin block of its configuration says where it would; %s needs none", address, reason(err), otherwise)
}

// reason is what is behind an error of a client, without the URL and the system call.
func reason(err error) error {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err
	}
	return errors.Unwrap(err)
}

// adminClient returns a client for the admin address and the beginning of its URLs.
func adminClient(address string) (*http.Client, string) {
	transport := &http.Transport{}
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		if strings.HasPrefix(address, ":") {
			address = "127.0.0.1" + address
		}
		return &http.Client{Transport: transport}, "http://" + address
	}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &http.Client{Transport: transport}, "http://localhost"
}
