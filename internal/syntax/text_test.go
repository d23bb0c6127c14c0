package syntax

import (
	"encoding/json"
	"testing"
)

func TestTextEscape(t *testing.T) {
	const value = `<a b="c\" d='e'>&` + "\x01`${é\u2028\u2029"
	const (
		plain = value
		html  = `&lt;a b=&#34;c\&#34; d=&#39;e&#39;&gt;&amp;` + "\x01`${é\u2028\u2029"
		piece = `\u003Ca b=\"c\\\" d=\u0027e\u0027\u003E\u0026\u0001\u0060\u0024{é\u2028\u2029`
	)
	for kind, want := range map[string]string{
		"text/plain":                plain,
		"Text/Plain; charset=utf-8": plain,
		"text/html; charset=utf-8":  html,
		"TEXT/HTML":                 html,
		"application/xhtml+xml":     html,
		"application/xml":           html,
		"image/svg+xml":             html,
		"":                          html,
		"application/json":          piece,
		"application/problem+json":  piece,
		"application/JSON ; a=b":    piece,
		"text/javascript":           piece,
	} {
		if got := string(TextEscape(kind)([]byte("x"), "path", value)); got != "x"+want {
			t.Errorf("%q: %s, want %s", kind, got, "x"+want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, s := range []string{"", "plain", `"\`, "\x00\x1f\x7f", "<script>'`$", "é\u2028\u2029"} {
		var back string
		if err := json.Unmarshal([]byte(`"`+string(AppendJSON(nil, s))+`"`), &back); err != nil || back != s {
			t.Errorf("%q comes back as %q (%v)", s, back, err)
		}
	}
	if got := string(AppendJSON(nil, "a\xffb")); got != "a\ufffdb" {
		t.Errorf("what is not UTF-8 becomes %q", got)
	}
}
