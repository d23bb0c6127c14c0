package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fed is a weir that reads its configuration from a pipe, a pipe that write opens.
func fed(t *testing.T) (r *running, write func() *os.File) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	r = &running{Cmd: exec.CommandContext(t.Context(), "weir", "run", "-c", "/dev/fd/3")}
	r.ExtraFiles = []*os.File{end}
	r.launch(t)
	return r, func() *os.File {
		t.Helper()
		w, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		return w
	}
}

// feed writes text, and more than a pipe holds: when it returns, somebody reads.
func feed(t *testing.T, w *os.File, text string) {
	t.Helper()
	if _, err := w.WriteString(text + strings.Repeat("# more\n", 10<<10)); err != nil {
		t.Fatal(err)
	}
}

// feeding is fed after it has begun to serve. hang has it reload, which hangs.
func feeding(t *testing.T, text string) (r *running, hang func()) {
	t.Helper()
	r, open := fed(t)
	w := open()
	feed(t, w, text)
	w.Close()
	return r, func() {
		t.Helper()
		r.signal(t, syscall.SIGHUP)
		feed(t, open(), "")
	}
}

func TestTermEndsHangingReload(t *testing.T) {
	r, hang := feeding(t, says("one"))
	r.await(t, "serving")
	hang()
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopped")
	r.ends(t, exitOK)
	if r.heard("not everything ended in time") {
		t.Error("the reload was waited for")
	}
}

func TestSecondTermEndsHangingReload(t *testing.T) {
	origin, asked, _ := held(t)
	r, hang := feeding(t, before(origin))
	go http.Get(r.url(t))
	<-asked
	hang()
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopping")
	r.signal(t, syscall.SIGTERM)
	r.ends(t, exitOK)
}

func TestTermEndsHangingStart(t *testing.T) {
	r, open := fed(t)
	feed(t, open(), "")
	r.signal(t, syscall.SIGTERM)
	r.ends(t, exitOK)
}

// Whatever does not return when it is told to end ends lastWords after it was told again.
func TestToldTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &orders{signals: make(chan os.Signal, 8), twice: make(chan struct{}), reload: make(chan struct{}, 1), reopen: make(chan struct{}, 1)}
		o.end, o.told = context.WithCancel(t.Context())
		hang := make(chan struct{})
		defer close(hang)
		begin := time.Now()
		for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT} {
			o.signals <- s
		}
		err := o.obey(func() error {
			<-hang
			return errors.New("too late")
		})
		if err != nil || time.Since(begin) != lastWords {
			t.Errorf("ended with %v after %v", err, time.Since(begin))
		}
		if len(o.reload) != 1 || len(o.reopen) != 1 {
			t.Errorf("%d reloads, %d reopenings", len(o.reload), len(o.reopen))
		}
	})
}

func TestToldOnceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &orders{signals: make(chan os.Signal, 8), twice: make(chan struct{})}
		o.end, o.told = context.WithCancel(t.Context())
		o.signals <- syscall.SIGTERM
		begin := time.Now()
		err := o.obey(func() error {
			<-o.end.Done()
			time.Sleep(time.Hour)
			return errors.New("done")
		})
		if err == nil || time.Since(begin) != time.Hour {
			t.Errorf("ended with %v after %v", err, time.Since(begin))
		}
	})
}

// A reload that is asked for while weir ends does not kill it.
func TestHangupsAtTheEnd(t *testing.T) {
	r := run(t, says("one"))
	r.await(t, "serving")
	r.signal(t, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.ends(t, exitOK)
	}()
	for {
		select {
		case <-ended:
			return
		default:
			r.Process.Signal(syscall.SIGHUP)
		}
	}
}
