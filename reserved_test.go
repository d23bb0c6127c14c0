package weir

import "testing"

func TestReserved(t *testing.T) {
	for id, want := range map[FieldID][2]string{ // Reserved, Absent
		FieldOther:              {"", ""},
		FieldCookie:             {"", ""},
		FieldConnection:         {"it concerns one connection only", "it concerns one connection only"},
		FieldContentLength:      {"it tells where a message ends", "it tells where a message ends"},
		FieldTrailer:            {"it tells where a message ends", ""},
		FieldHost:               {"the host has a setting of its own", "the host is no field here"},
		FieldProxyAuthorization: {"", "it is for the proxy alone, and weir asks nobody for it"},
	} {
		if id.Reserved() != want[0] || id.Absent() != want[1] {
			t.Errorf("%s: reserved %q, absent %q", id, id.Reserved(), id.Absent())
		}
	}
}
