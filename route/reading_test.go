package route

import (
	"testing"

	"weir"
)

// A path must not lead past a rule by being written so that only the server takes it for another one.
func TestRulesAreNotEvaded(t *testing.T) {
	target := func(name string) *weir.Route {
		return &weir.Route{Name: name, Handler: weir.HandlerFunc(func(*weir.Exchange) error { return nil })}
	}
	r, problems := New([]Site{{Name: "a", Hosts: []string{"*"}, Routes: []Spec{
		{Pattern: "/*", Target: target("all")},
		{Pattern: "/admin/*", Target: target("admin")},
		{Pattern: "/files/{name}", Target: target("file")},
		{Pattern: "/files/*", Target: target("files")},
	}}}, Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for path, want := range map[string]string{
		"/admin/x": "admin", "/admin%2fx": "", "/%2fadmin/x": "", "/admin%5Cx": "", "/%5cadmin/x": "", "/admin;/x": "",
		"/admin;a=b/x": "", "/;/admin/x": "", "/admin%3b/x": "", "/admin%3Ba%2Fx": "", "/x;a=b/y": "all", "/x%2fy": "all",
		"/admin/a%2Fb": "admin", "/admin/a;b": "admin", "/files/a%2Fb": "file", "/files/a;v=1": "file", "/%25%32%46admin/x": "all",
		"/adm%69n;/x": "", "/;": "all", "/%2F": "all", "/a%3": "",
	} {
		x := &weir.Exchange{Conn: &weir.Conn{}}
		x.Request.Method, x.Request.Path, x.Request.Authority = "GET", path, "a.test"
		got, err := r.Lookup(x)
		switch {
		case want == "" && (err == nil || weir.AsFault(err).Cause != weir.CauseRequestPath):
			t.Errorf("%s leads to %v, %v; want a refusal", path, got, err)
		case want != "" && (err != nil || got.Name != want):
			t.Errorf("%s leads to %v, %v; want %s", path, got, err, want)
		}
	}
}
