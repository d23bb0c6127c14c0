package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pipe puts something in place of a file whose reading never ends.
func pipe(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// hanging is a weir whose reload hangs.
func hanging(t *testing.T, text string) *running {
	t.Helper()
	r := run(t, text)
	r.await(t, "serving")
	pipe(t, r.file)
	r.signal(t, syscall.SIGHUP)
	w, err := os.OpenFile(r.file, os.O_WRONLY, 0) // returns when it is being read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return r
}

func TestTermEndsHangingReload(t *testing.T) {
	r := hanging(t, says("one"))
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopped")
	r.ends(t, exitOK)
	if r.heard("not everything ended in time") {
		t.Error("the reload was waited for")
	}
}

func TestSecondTermEndsHangingReload(t *testing.T) {
	origin, asked, _ := held(t)
	r := run(t, before(origin))
	go http.Get(r.url(t))
	<-asked
	pipe(t, r.file)
	r.signal(t, syscall.SIGHUP)
	r.signal(t, syscall.SIGTERM)
	r.await(t, "stopping")
	r.signal(t, syscall.SIGTERM)
	r.ends(t, exitOK)
}

func TestTermEndsHangingStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.hcl")
	pipe(t, file)
	r := launch(t, nil, "run", "-c", file)
	w, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
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
