package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/cert"
	"weir/observe"
)

// trusting has a store of the test's own trust a root, with a tool that notes how it was called.
func trusting(t *testing.T, script string) (folder, called string, run func(root []byte) (out string, err error)) {
	t.Helper()
	bin, folder := t.TempDir(), t.TempDir()
	called = filepath.Join(bin, "called")
	text := "#!/bin/sh\necho \"$0 $@\" >> " + called + "\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(bin, "update-trust"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	stores := []trustStore{
		{folder, "no-such-tool", nil}, {filepath.Join(folder, "missing"), "update-trust", nil}, {folder, "update-trust", []string{"extract"}},
	}
	return folder, called, func(root []byte) (string, error) {
		var out bytes.Buffer
		c := &cli{out: &out, err: &out}
		err := c.trust(context.Background(), stores, root)
		return out.String(), err
	}
}

func newRoot(t *testing.T) []byte {
	t.Helper()
	a, err := cert.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a.RootPEM()
}

func TestTrust(t *testing.T) {
	folder, called, run := trusting(t, "")
	root := newRoot(t)
	for range 2 { // the second time changes nothing
		out, err := run(root)
		if err != nil || !strings.Contains(out, "wrote "+folder) || !strings.Contains(out, "ran update-trust extract\n") {
			t.Errorf("%s, %v", out, err)
		}
	}
	if _, err := run(newRoot(t)); err != nil {
		t.Error(err)
	}
	files, _ := filepath.Glob(filepath.Join(folder, "weir-internal-ca-*.crt"))
	if len(files) != 2 {
		t.Fatalf("%q", files)
	}
	found := 0
	for _, f := range files {
		if text, _ := os.ReadFile(f); bytes.Equal(text, root) {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the root is in %d files", found)
	}
	if text, _ := os.ReadFile(called); strings.Count(string(text), "update-trust extract\n") != 3 {
		t.Errorf("the tool was called: %s", text)
	}
}

// The tool of Debian itself puts the root among those that programs trust, in folders of the test's own.
func TestTrustOfDebian(t *testing.T) {
	if _, err := exec.LookPath("update-ca-certificates"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"local", "etc", "shared", "hooks"} {
		if err := os.Mkdir(at(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	stores := []trustStore{{at("local"), "update-ca-certificates", []string{
		"--localcertsdir", at("local"), "--etccertsdir", at("etc"), "--certsdir", at("shared"), "--hooksdir", at("hooks"), "--certsconf", at("conf"),
	}}}
	root := newRoot(t)
	var out bytes.Buffer
	c := &cli{out: &out, err: &out}
	if err := c.trust(t.Context(), stores, root); err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(at("etc"), "ca-certificates.crt"))
	if err != nil || !bytes.Contains(bundle, bytes.TrimSpace(root)) {
		t.Errorf("the bundle lacks the root: %v, %s", err, &out)
	}
}

func TestTrustFails(t *testing.T) {
	_, _, run := trusting(t, "echo no room >&2; exit 4")
	out, err := run(newRoot(t))
	var e exit
	if !errors.As(err, &e) || e.code != exitFailed || !strings.Contains(err.Error(), "update-trust extract: exit status 4\nno room") || strings.Contains(out, "trusts") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := run([]byte("nonsense")); err == nil {
		t.Error("nonsense is trusted")
	}
	c := &cli{}
	if err := c.trust(t.Context(), nil, newRoot(t)); err == nil || !strings.Contains(err.Error(), "weir cert root > weir-root.pem") {
		t.Errorf("without a store: %v", err)
	}
}

func TestCertificateTable(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	list := []observe.CertificateStatus{
		{
			Names: []string{"a.example", "www.a.example"}, Kind: "acme", State: observe.CertificateDoubtful, Issuer: "An Authority", Serial: "1f",
			File: "/s/a.example.pem", From: now.Add(-60 * 24 * time.Hour), Until: now.Add(30 * 24 * time.Hour), Renewal: now.Add(-90 * time.Minute),
			Failed: 2, Step: "ordering", Problem: "it says no", Next: now.Add(10 * time.Minute),
		},
		{Names: []string{}, Kind: "files", State: observe.CertificateExpired, File: "/b.pem", Until: now.Add(-90 * time.Second), Problem: "expired"},
	}
	var out bytes.Buffer
	c := &cli{out: &out}
	if err := errors.Join(c.writeTable(list, now), c.writeFacts(list, now)); err != nil {
		t.Fatal(err)
	}
	want := `NAME                  KIND   STATE     EXPIRES         REPLACED        PROBLEM
a.example and 1 more  acme   doubtful  in 30 days      90 minutes ago  ordering: it says no; again in 10 minutes
/b.pem                files  expired   90 seconds ago  -               expired
a.example
  names         a.example, www.a.example
  kind          acme, by a public authority
  state         doubtful
  issuer        An Authority
  serial        1f
  file          /s/a.example.pem
  valid from    2026-09-22 12:00:00 UTC (60 days ago)
  valid until   2026-12-21 12:00:00 UTC (in 30 days)
  replaced      2026-11-21 10:30:00 UTC (90 minutes ago)
  failed        2 attempts in a row
  step          ordering
  problem       it says no
  next attempt  2026-11-21 12:10:00 UTC (in 10 minutes)

/b.pem
  kind         files, which are read anew when they change
  state        expired
  file         /b.pem
  valid until  2026-11-21 11:58:30 UTC (90 seconds ago)
  problem      expired
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

// TestImportIsWeirs has root take over certificates for a state_dir that is another user's.
func TestImportIsWeirs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root writes in the name of another")
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 12345, 12346); err != nil {
		t.Fatal(err)
	}
	o, err := ownerOf(dir, "")
	if err != nil || o != (owner{12345, 12346, true}) {
		t.Fatalf("%+v, %v", o, err)
	}
	if err := errors.Join(o.take(dir, "acme"), o.take(filepath.Join(dir, "none"), "acme")); err != nil {
		t.Errorf("where nothing was written: %v", err)
	}
	file := filepath.Join(dir, "acme", "certificates", "a.pem")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600), os.Symlink("/", filepath.Join(dir, "acme", "link")), o.take(dir, "acme")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Dir(file), filepath.Join(dir, "acme")} {
		if got, err := ownerOf(name, ""); err != nil || got != o {
			t.Errorf("%s is of %+v, %v", name, got, err)
		}
	}
	if got, err := ownerOf("/", ""); err != nil || got.uid != 0 {
		t.Errorf("the root of the file system is of %+v, %v", got, err)
	}
	if o, err := ownerOf(filepath.Join(dir, "none"), "no such user"); err == nil {
		t.Errorf("%+v", o)
	}
}
