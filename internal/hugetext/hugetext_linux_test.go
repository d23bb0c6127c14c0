package hugetext

import (
	"errors"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestReadMaps(t *testing.T) {
	const maps = `00400000-00f38000 r-xp 00000000 fe:00 10446189                           /usr/bin/weir
00f38000-01b56000 r--p 00b38000 fe:00 10446189                           /usr/bin/weir
c000000000-c000400000 rw-p 00000000 00:00 0 
`
	got, err := readMaps(strings.NewReader(maps))
	want := []mapping{
		{span{0x400000, 0xf38000}, "r-xp", "/usr/bin/weir"},
		{span{0xf38000, 0x1b56000}, "r--p", "/usr/bin/weir"},
		{span{0xc000000000, 0xc000400000}, "rw-p", ""},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestText(t *testing.T) {
	code := mapping{span{0x401000, 0x930000}, "r-xp", "weir"}
	constants := mapping{span{0x930000, 0xf00000}, "r--p", "weir"}
	for _, c := range []struct {
		name string
		maps []mapping
		want span
	}{
		{"with the constants behind it", []mapping{code, constants}, span{0x600000, 0xa00000}},
		{"alone", []mapping{code}, span{0x600000, 0x800000}},
		{"before another file", []mapping{code, {constants.span, "r--p", "other"}}, span{0x600000, 0x800000}},
		{"before what is written to", []mapping{code, {constants.span, "rw-p", "weir"}}, span{0x600000, 0x800000}},
		{"before a gap", []mapping{code, {span{0x931000, 0xf00000}, "r--p", "weir"}}, span{0x600000, 0x800000}},
		{"before too few constants", []mapping{code, {span{0x930000, 0x9f0000}, "r--p", "weir"}}, span{0x600000, 0x800000}},
	} {
		if got, err := text(c.maps, 0x500000); got != c.want || err != nil {
			t.Errorf("%s: %x, %v, want %x", c.name, got, err, c.want)
		}
	}
	if _, err := text([]mapping{{span{0x401000, 0x410000}, "r-xp", "weir"}}, 0x402000); !errors.Is(err, ErrSmall) {
		t.Errorf("little code: %v", err)
	}
	if _, err := text([]mapping{constants}, 0x402000); err == nil {
		t.Error("found what is not there")
	}
}

// After the move the program runs on, at the same addresses, on memory that is nobody's file and cannot be written to.
func TestMove(t *testing.T) {
	if os.Getenv("HUGETEXT_MOVE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMove$", "-test.v")
		cmd.Env = append(os.Environ(), "HUGETEXT_MOVE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() { keepBusy(stop) })
	}
	pages, err := text(ownMaps(t), reflect.ValueOf(Move).Pointer())
	if errors.Is(err, ErrSmall) {
		t.Skip(err)
	}
	err = Move()
	close(stop)
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ownMaps(t) {
		if m.start < pages.end && pages.start < m.end && (m.file != "" || m.perms != "r-xp") {
			t.Errorf("code of %x is in %v", pages, m)
		}
	}
}

func ownMaps(t *testing.T) []mapping {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	maps, err := readMaps(f)
	if err != nil {
		t.Fatal(err)
	}
	return maps
}

// keepBusy runs code all over the program, and has stacks and the heap be looked at.
func keepBusy(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := readMaps(strings.NewReader(strings.Repeat("1-2 r--p 0 0 0\n", 100))); err != nil {
			panic(err)
		}
		runtime.GC()
	}
}
