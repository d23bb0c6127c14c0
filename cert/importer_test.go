package cert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// placePair writes a pair under other names than those of write.
func placePair(t *testing.T, c *tls.Certificate, certificate, key string) {
	t.Helper()
	a, b := write(t, t.TempDir(), c)
	for from, to := range map[string]string{a: certificate, b: key} {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := copyFile(from, to); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImportOfCertbot(t *testing.T) {
	authority, store, dir := newCA(t), t.TempDir(), t.TempDir()
	good := authority.leaf(t, nil, "shop.example", "www.shop.example")
	late := authority.leaf(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "late.example")
	archive, live := filepath.Join(store, "archive", "shop"), filepath.Join(store, "live", "shop")
	placePair(t, good, filepath.Join(archive, "fullchain1.pem"), filepath.Join(archive, "privkey1.pem"))
	placePair(t, good, filepath.Join(archive, "fullchain.pem"), filepath.Join(archive, "privkey.pem")) // is not looked at
	os.MkdirAll(live, 0o755)
	for _, n := range []string{"fullchain", "privkey"} {
		if err := os.Symlink("../../archive/shop/"+n+"1.pem", filepath.Join(live, n+".pem")); err != nil {
			t.Fatal(err)
		}
	}
	placePair(t, late, filepath.Join(store, "live", "late", "fullchain.pem"), filepath.Join(store, "live", "late", "privkey.pem"))
	placePair(t, good, filepath.Join(store, "live", "torn", "fullchain.pem"), filepath.Join(store, "live", "other", "privkey.pem"))
	if err := copyFile(filepath.Join(store, "live", "late", "privkey.pem"), filepath.Join(store, "live", "torn", "privkey.pem")); err != nil {
		t.Fatal(err)
	}
	list, err := Import(dir, store, time.Now())
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, i := range list {
		name := filepath.Base(filepath.Dir(i.File))
		switch name {
		case "shop":
			if strings.Join(i.Names, " ") != "shop.example www.shop.example" || i.Skipped != "" {
				t.Errorf("%+v", i)
			}
		case "late":
			if !strings.Contains(i.Skipped, "expired") {
				t.Errorf("%+v", i)
			}
		case "torn":
			if !strings.Contains(i.Skipped, "is not that of the certificate") {
				t.Errorf("%+v", i)
			}
		}
	}
	// A manager begins with them.
	m, _ := newQuiet(t, dir, Config{CAs: []CA{{Name: "none", Directory: "https://127.0.0.1:1/"}}})
	if err := m.Manage([]string{"www.shop.example"}); err != nil {
		t.Fatal(err)
	}
	if c, err := m.certificate("www.shop.example"); err != nil || !c.Leaf.Equal(good.Leaf) {
		t.Errorf("%v", err)
	}
	// Once more, there is nothing better in it.
	if list, err = Import(dir, store, time.Now()); err != nil || !strings.Contains(skippedOf(list, "shop"), "last longer") {
		t.Errorf("%+v, %v", list, err)
	}
}

func skippedOf(list []Imported, folder string) string {
	for _, i := range list {
		if filepath.Base(filepath.Dir(i.File)) == folder {
			return i.Skipped
		}
	}
	return ""
}

func TestImportOfCaddy(t *testing.T) {
	authority, store, dir := newCA(t), t.TempDir(), t.TempDir()
	wild := authority.leaf(t, nil, "*.shop.example")
	site := filepath.Join(store, "certificates", "acme-v02.api.letsencrypt.org-directory", "wildcard_.shop.example")
	placePair(t, wild, filepath.Join(site, "wildcard_.shop.example.crt"), filepath.Join(site, "wildcard_.shop.example.key"))
	list, err := Import(dir, store, time.Now())
	if err != nil || len(list) != 1 || list[0].Skipped != "" {
		t.Fatalf("%+v, %v", list, err)
	}
	kept, err := Kept(dir)
	if err != nil || len(kept) != 1 || kept[0].Names[0] != "*.shop.example" || !kept[0].Until.Equal(wild.Leaf.NotAfter) {
		t.Errorf("%+v, %v", kept, err)
	}
	if _, err := Import(dir, t.TempDir(), time.Now()); err == nil {
		t.Error("an empty store")
	}
	if _, err := Import(dir, filepath.Join(dir, "none"), time.Now()); err == nil {
		t.Error("no store")
	}
	writeFile(t, kept[0].File, []byte("torn"))
	if kept, _ := Kept(dir); len(kept) != 1 || kept[0].Problem == "" {
		t.Errorf("a broken file: %+v", kept)
	}
}
