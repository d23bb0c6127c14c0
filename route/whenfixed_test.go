package route

import "testing"

// What holds for every request, or for none, is known when it is compiled.
func TestVerdict(t *testing.T) {
	var e expressions
	for _, c := range []struct {
		text string
		want verdict
	}{
		{"true", always},
		{"false", never},
		{"!false", always},
		{"1 < 2 && 'a' == 'a'", always},
		{"'a' in ['b']", never},
		{"[1, 2].exists(n, n == 3)", never},
		{"false && request.path == '/'", never},
		{"request.path == '/' && false", never},
		{"header('x') == 'y' || true", always},
		{"true ? request.path == '/' : false", depends},
		{"request.path == '/' ? true : true", depends}, // CEL does not look behind the question
		{"1 / 0 == 1", failing},
		{"1 / 0 == 1 || true", always},
		{"1 / 0 == 1 || request.path == '/'", depends},
		{"request.path == '/' || 1 / 0 == 1", depends},
		{"[1, 2][5] == 1 && false", never},
		{"request.method == 'GET'", depends},
		{"request.scheme != ''", depends},
		{"request.host.endsWith('.test')", depends},
		{"request.path.matches('.*')", depends},
		{"'x' in request.header", depends},
		{"has(request.header.x)", depends},
		{"request.header.exists(n, true)", depends},
		{"request.header.all(n, false)", depends},
		{"size(request.query) >= 0", depends},
		{"request.query['a'] == 'b'", depends},
		{"query('a') == 'b'", depends},
		{"cookie('a').size() > 2", depends},
		{"cidr(client.ip, ['10.0.0.0/8', '::1'])", depends},
		{"client.ip == '127.0.0.1' ? false : header('a') != ''", depends},
		{"['a', request.path].exists(p, p == 'a')", depends},
	} {
		w, err := e.compile(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if w.fixed != c.want {
			t.Errorf("%s: verdict %d, want %d", c.text, w.fixed, c.want)
		}
	}
}
