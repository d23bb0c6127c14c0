package assemble

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/config"
)

// What is wrong in a tls block is said once, in plain words, with what to do about it.
func TestMistakesInTLS(t *testing.T) {
	dir := t.TempDir()
	keepPair(t, dir, "a.example")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.ReadFile(filepath.Join(dir, "pair.key"))
	if err != nil {
		t.Fatal(err)
	}
	write("own.key", string(own))
	cert, err := os.ReadFile(filepath.Join(dir, "pair.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write("own.pem", string(cert))
	keepPair(t, dir, "b.example")
	write("junk.pem", "junk")
	files := func(host, certificate, key string) string {
		return `site "` + host + `" {
  tls {
    certificate = "` + certificate + `"
    key         = "` + key + `"
  }
  respond "/*" {}
}`
	}
	auto := func(host string) string { return "site \"" + host + "\" {\n  respond \"/*\" {}\n}" }
	plain := func(tls string) string {
		return "\nlistener \"http\" { address = \":80\" }\nsite \"a.shop.net\" {\n  on = [listener.http]\n  tls {\n    " + tls + "\n  }\n  respond \"/*\" {}\n}"
	}
	for name, tt := range map[string]struct {
		text string
		want string // "": nothing is wrong
	}{
		"well":      {files("a.example", "own.pem", "own.key"), ""},
		"no file":   {files("a.example", "none.pem", "own.key"), `certificate: "none.pem" does not exist`},
		"folder":    {files("a.example", ".", "own.key"), "it is a folder"},
		"junk":      {files("a.example", "junk.pem", "own.key"), "junk.pem\" is not in PEM form (-----BEGIN CERTIFICATE-----): is it the right file?"},
		"exchanged": {files("a.example", "own.key", "own.pem"), "own.key\" has a private key and no certificate: are certificate and key exchanged?"},
		"no key":    {files("a.example", "own.pem", "own.pem"), `own.pem" has no private key: name the file that has it (key = "...")`},
		"junk key":  {files("a.example", "own.pem", "junk.pem"), `junk.pem" has no private key in PEM form`},
		"other key": {files("a.example", "own.pem", "pair.key"), `pair.key" is not that of the certificate in`},
		"other":     {files("c.example", "own.pem", "own.key"), `own.pem" is not for "c.example": clients refuse it`},
		"wildcard":  {auto("*.shop.net"), `there will be no certificate for "*.shop.net": authorities certify wildcards by dns-01 alone`},
		"no dot":    {auto("shop"), `no public authority certifies "shop"`},
		"localhost": {auto("localhost"), ""},
		"twice":     {auto("a.shop.net") + "\nsite \"again\" {\n  hosts = [\"a.shop.net\"]\n  respond \"/*\" {}\n}", `host "a.shop.net" belongs to site "a.shop.net"`},
		"plain":     {auto("b.shop.net") + plain("from = \"internal\""), `the site is served unencrypted: none of its listeners has a tls block`},
		"asks":      {auto("b.shop.net") + plain("from = \"internal\"\n    client_ca = \"own.pem\""), `nobody can be asked for a certificate: none of the site's listeners has a tls block`},
		"asks off":  {auto("b.shop.net") + plain("from = \"off\"\n    client_ca = \"own.pem\""), `without encryption nobody can be asked for a certificate`},
		"off":       {auto("b.shop.net") + plain("from = \"off\""), ""},
		"any name":  {"site \"*.shop.net\" {\n  tls {\n    on_demand { allow = [\"*\"] }\n  }\n  respond \"/*\" {}\n}", `allow: "*" allows any name`},
		"word":      {"site \"a.shop.net\" {\n  tls = true\n  respond \"/*\" {}\n}", "tls must be text, not true or false"},
		"token":     {"acme {\n  dns \"cloudflare\" { token = \"\" }\n}\n" + auto("a.shop.net"), "acme: dns: cloudflare wants a token"},
	} {
		file := filepath.Join(dir, "weir.hcl")
		write("weir.hcl", "listener \"https\" {\n  address = \":443\"\n  tls {}\n}\n"+tt.text+"\n")
		c, found := config.Load(file)
		if c != nil {
			found = append(found, Check(c)...)
		}
		var said strings.Builder
		found.Write(&said, false)
		wrong := 0
		if tt.want != "" {
			wrong = 1
		}
		if len(found) != wrong || !strings.Contains(said.String(), tt.want) {
			t.Errorf("%s: %d findings, want %q:\n%s", name, len(found), tt.want, said.String())
		}
	}
}
