package weir

import (
	"strings"
	"testing"
)

// Of two names with the same slot one would never be found.
func TestFieldSlotsDoNotClash(t *testing.T) {
	slots := map[uint8]string{}
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := id.String()
		if name == "" {
			t.Fatalf("field %d has no name", id)
		}
		slot := fieldHash(ends(name))
		if other, taken := slots[slot]; taken {
			t.Errorf("%s and %s have slot %d: find another multiplier", name, other, slot)
		}
		slots[slot] = name
	}
}

func TestIdentify(t *testing.T) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := id.String()
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := Identify(spelling); got != id {
				t.Errorf("Identify(%q) = %d, want %d", spelling, got, id)
			}
		}
		for _, other := range []string{name + "s", name[1:], "x" + name, strings.Repeat("x", len(name))} {
			if got := Identify(other); got != identifyNaive(other) {
				t.Errorf("Identify(%q) = %v", other, got)
			}
		}
	}
	for _, name := range []string{"", "a", "x", "@ccept", "accept\x00", "cookie ", strings.Repeat("a", 300)} {
		if got := Identify(name); got != FieldOther {
			t.Errorf("Identify(%q) = %v", name, got)
		}
	}
}

func identifyNaive(name string) FieldID {
	for id := FieldOther + 1; id < fieldCount; id++ {
		if strings.EqualFold(id.String(), name) && len(id.String()) == len(name) {
			return id
		}
	}
	return FieldOther
}

func FuzzIdentify(f *testing.F) {
	for _, seed := range []string{"", "Te", "Host", "x-forwarded-PREFIX", "Proxy-Authorization", "ſet-cookie"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := identifyNaive(name)
		if !isASCII(name) { // strings.EqualFold knows more letters than a field name has
			want = FieldOther
		}
		if got := Identify(name); got != want {
			t.Fatalf("Identify(%q) = %v, want %v", name, got, want)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func TestFieldIDString(t *testing.T) {
	for id, want := range map[FieldID]string{FieldOther: "", FieldETag: "ETag", fieldCount: "", 255: ""} {
		if got := id.String(); got != want {
			t.Errorf("FieldID(%d) is %q, want %q", id, got, want)
		}
	}
}
