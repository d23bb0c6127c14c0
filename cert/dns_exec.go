package cert

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/libdns/libdns"
)

// hookTimeout bounds one run of a hook.
const hookTimeout = 2 * time.Minute

// Exec is a [Provider] that has a program set records. It is run as
//
//	program args... set|delete NAME VALUE
//
// with NAME the full name of a TXT record, such as _acme-challenge.example.com, and ends with status 0 when it is
// done. It finds the same in WEIR_ACTION, WEIR_NAME and WEIR_VALUE. Several values of one name may be set at once.
type Exec struct {
	Program string
	Args    []string
}

// AppendRecords sets records.
func (e Exec) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, e.each(ctx, true, zone, records)
}

// DeleteRecords deletes records.
func (e Exec) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, e.each(ctx, false, zone, records)
}

func (e Exec) each(ctx context.Context, set bool, zone string, records []libdns.Record) error {
	var problems []error
	for _, r := range records {
		rr := r.RR()
		problems = append(problems, e.change(ctx, set, strings.TrimSuffix(libdns.AbsoluteName(rr.Name, zone), "."), rr.Data))
	}
	return errors.Join(problems...)
}

// change implements direct.
func (e Exec) change(ctx context.Context, set bool, name, value string) error {
	if set {
		return e.run(ctx, "set", name, value)
	}
	return e.run(ctx, "delete", name, value)
}

func (e Exec) run(ctx context.Context, action, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Program, append(append([]string(nil), e.Args...), action, name, value)...)
	cmd.Env = append(cmd.Environ(), "WEIR_ACTION="+action, "WEIR_NAME="+name, "WEIR_VALUE="+value)
	cmd.WaitDelay = time.Second
	said := &tail{max: 500}
	cmd.Stdout, cmd.Stderr = said, said
	// What a hook leaves running may hold on to its output: it has ended well all the same.
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("%s %s %s: %w: %s", e.Program, action, name, err, strings.TrimSpace(string(said.b)))
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct {
	b   []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-t.max):]
	return len(p), nil
}
