package weirtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/weirtest/dialect"
)

// programLimit is how long a program of a script may take.
const programLimit = 6 * patience

// shell runs a program of the machine, or weir itself.
func (st *stage) shell(step *Step) error {
	if err := st.unpack(); err != nil {
		return err
	}
	if st.mode.streams() {
		for i := range step.Output {
			step.Output[i].Text = asHTTP1(step.Output[i].Text)
		}
	}
	return st.again(step, func() (string, int, error) { return st.runProgram(step.Text) })
}

// again judges what run gives, once, or where the step says so until it is right.
func (st *stage) again(step *Step, run func() (string, int, error)) error {
	for end := time.Now().Add(patience); ; {
		out, code, err := run()
		if err == nil {
			err = judge(step, out, code)
		}
		if err == nil || !step.Again || time.Now().After(end) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (st *stage) runProgram(text string) (out string, code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", text)
	cmd.Dir = st.dir
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Join(st.dir, houseDir)+":"+filepath.Dir(st.bin)+":"+os.Getenv("PATH"), "TERM=dumb", "NO_COLOR=1", "http_proxy=",
		"CURL_HOME="+filepath.Join(st.dir, houseDir), noExitSleep())
	cmd.WaitDelay = patience // to hear the end of what it wrote; what it leaves running must not hang the script
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err = cmd.Run()
	var ended *exec.ExitError
	if ctx.Err() != nil {
		return b.String(), 0, fmt.Errorf("still runs after %s; it wrote:\n%s", programLimit, b.String())
	}
	out = b.String()
	if st.mode.streams() {
		out = asHTTP1(out)
	}
	if errors.As(err, &ended) {
		return out, ended.ExitCode(), nil
	}
	return out, 0, err
}

var (
	statusLine = regexp.MustCompile(`(?m)^HTTP/[23] (\d\d\d) ?\r?$`)
	fieldName  = regexp.MustCompile(`(?m)^[A-Za-z][A-Za-z0-9-]*: `)
)

// asHTTP1 brings heads that curl prints into the form they have in HTTP/1, but for the spelling of names, of which
// there is one.
func asHTTP1(out string) string {
	out = statusLine.ReplaceAllStringFunc(out, func(line string) string {
		code, _ := strconv.Atoi(statusLine.FindStringSubmatch(line)[1])
		return fmt.Sprintf("HTTP/1.1 %d %s", code, http.StatusText(code))
	})
	return fieldName.ReplaceAllStringFunc(out, func(name string) string {
		return canonical(strings.TrimSuffix(name, ": ")) + ": "
	})
}

// judge compares a program's exit code and output with what the step wants.
func judge(step *Step, out string, code int) error {
	fail := func(line int, format string, args ...any) error {
		return fmt.Errorf("line %d: %s; output:\n%s", line, fmt.Sprintf(format, args...), out[:min(len(out), 6000)])
	}
	if code != step.Exit {
		return fail(step.Line, "exit code %d, want %d", code, step.Exit)
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(out, "\r\n", "\n"), "\n"), "\n")
	rest := lines
	for _, w := range step.Output {
		if w.No {
			if i := find(lines, w.Text); i >= 0 {
				return fail(w.Line, "there is a line %q", lines[i])
			}
			continue
		}
		i := find(rest, w.Text)
		if i < 0 {
			return fail(w.Line, "no line %q (here, in this order)", w.Text)
		}
		rest = rest[i+1:]
	}
	return nil
}

// interval is "10..20" in a line that is wanted: a number within.
var interval = regexp.MustCompile(`^(.* )?(\d+)\.\.(\d+)$`)

func find(lines []string, text string) int {
	for i, line := range lines {
		if m := interval.FindStringSubmatch(text); m != nil {
			if between(line, m) {
				return i
			}
			continue
		}
		if ok, _ := matches(text, line); ok {
			return i
		}
	}
	return -1
}

func between(line string, m []string) bool {
	at := strings.LastIndexByte(line, ' ') + 1
	n, err := strconv.Atoi(line[at:])
	ok, _ := matches(m[1], line[:at])
	low, _ := strconv.Atoi(m[2])
	high, _ := strconv.Atoi(m[3])
	return ok && err == nil && low <= n && n <= high
}

// answers checks a table of cases, each on a connection of its own:
//
//	STATUS closed|kept REQUEST [=> BODY]
func (st *stage) answers(step *Step) error {
	if err := st.unpack(); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(st.dir, step.Text))
	if err != nil {
		return err
	}
	var errs []error
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := st.answer(line); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %s: %w", step.Text, i+1, brief(line), err))
		}
	}
	return errors.Join(errs...)
}

func (st *stage) answer(line string) error {
	words := strings.SplitN(line, " ", 3)
	if len(words) < 3 {
		return errors.New("not a case")
	}
	request, body, checked := strings.Cut(words[2], " => ")
	data, err := toSend(request)
	if err != nil {
		return err
	}
	if err := st.client(&Step{Text: "case"}); err != nil {
		return err
	}
	defer st.close(&Step{Name: "case"})
	p := st.peers["case"]
	p.send(data)
	err = p.readHead()
	if errors.Is(err, dialect.ErrMalformed) && words[0] == "400" { // which needs no words (RFC 9113, section 8.1.1)
		return nil
	}
	if err != nil {
		return err
	}
	if !strings.HasPrefix(p.first, "HTTP/1.1 "+words[0]+" ") {
		return fmt.Errorf("got %s", brief(p.first))
	}
	got, err := p.readBody()
	if err != nil {
		return err
	}
	if ok, err := matches(body, string(got)); checked && !ok {
		return errors.Join(fmt.Errorf("content is %s", brief(string(got))), err)
	}
	switch words[1] {
	case "*":
		return nil
	case "closed":
		return p.readEnd()
	}
	p.send([]byte("GET / HTTP/1.1\r\nHost: again\r\n\r\n"))
	return p.readHead()
}
