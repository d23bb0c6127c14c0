package observe

import (
	"testing"

	"weir"
)

func TestRecentKeepsWhatMatters(t *testing.T) {
	r := NewRecent()
	r.Observe(exchange())
	served := exchange()
	served.Response.Status = 503
	served.Timing.End = 1e9
	r.Observe(served)
	bad := failed()
	bad.Timing.End = 2e9
	r.Observe(bad)
	for range 1000 { // a flood does not push the others out
		x := lost()
		x.Timing.End = 3e9
		r.Observe(x)
	}
	got := r.Failures()
	if len(got) != recentPlaces+2 {
		t.Fatalf("%d failures", len(got))
	}
	if f := got[0]; f.Outcome != "route.no_route" || f.Side != "client" || f.Note == "" || f.Site != "" {
		t.Errorf("the newest is %+v", f)
	}
	if f := got[recentPlaces]; f.Outcome != "upstream.connect_refused" || f.Server != "10.0.0.11:8080" || f.Attempts != 2 ||
		f.Error != `upstream "shop": dial 10.0.0.11:8080: connection refused` || f.Remedy != weir.CauseUpstreamConnect.Remedy() {
		t.Errorf("the failure before is %+v", f)
	}
	if f := got[recentPlaces+1]; f.Outcome != OutcomeOK || f.Side != "upstream" || f.Status != 503 || f.Remedy == "" {
		t.Errorf("the oldest is %+v", f)
	}
}
