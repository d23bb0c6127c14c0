package hugetext

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// A span is a range of addresses: from start up to end.
type span struct{ start, end uintptr }

// A mapping is a line of /proc/self/maps.
type mapping struct {
	span
	perms string
	file  string
}

// ErrSmall is what Move returns for a program whose code does not fill a huge page.
var ErrSmall = errors.New("there is too little code for huge pages")

// Move copies the program's code to huge pages, and has these take its place. It is for the beginning of main. After an
// error the code is where it was.
func Move() error {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer f.Close()
	maps, err := readMaps(f)
	if err != nil {
		return err
	}
	s, err := text(maps, reflect.ValueOf(Move).Pointer())
	if err != nil {
		return err
	}
	return s.move()
}

func readMaps(r io.Reader) ([]mapping, error) {
	var list []mapping
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return list, lines.Err()
		}
		var m mapping
		var offset, dev, inode string
		fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %s %s", &m.start, &m.end, &m.perms, &offset, &dev, &inode, &m.file)
		list = append(list, m)
	}
}

// text returns the huge pages that hold the code around pc. The last one may end in the constants behind the code, which
// belong to the same file and are not written to either.
func text(maps []mapping, pc uintptr) (span, error) {
	for i, m := range maps {
		if pc < m.start || pc >= m.end {
			continue
		}
		s := span{(m.start + hugePage - 1) &^ (hugePage - 1), m.end &^ (hugePage - 1)}
		if up := (m.end + hugePage - 1) &^ (hugePage - 1); i+1 < len(maps) && maps[i+1].continues(m, up) {
			s.end = up
		}
		if s.start >= s.end {
			return span{}, ErrSmall
		}
		return s, nil
	}
	return span{}, fmt.Errorf("no mapping has address %#x", pc)
}

// continues reports whether m is more of what m before holds, up to end, and cannot be written to.
func (m mapping) continues(before mapping, end uintptr) bool {
	return m.start == before.end && m.end >= end && m.file == before.file && m.perms == "r--p"
}

// move copies the pages and puts the copy in their place, which is one step for whoever runs code there.
func (s span) move() error {
	size := s.end - s.start
	to, err := room(size)
	if err != nil {
		return err
	}
	if err := s.replace(to, size); err != nil {
		unix.MunmapPtr(to, size)
		return err
	}
	return nil
}

// room returns memory of that size that begins with a huge page.
func room(size uintptr) (unsafe.Pointer, error) {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	p, err := unix.MmapPtr(-1, 0, nil, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	before := -uintptr(p) & (hugePage - 1)
	to := unsafe.Add(p, before)
	if before > 0 {
		unix.MunmapPtr(p, before)
	}
	if before < hugePage {
		unix.MunmapPtr(unsafe.Add(to, size), hugePage-before)
	}
	return to, nil
}

func (s span) replace(to unsafe.Pointer, size uintptr) error {
	copied, from := unsafe.Slice((*byte)(to), size), unsafe.Add(unsafe.Pointer(nil), s.start)
	if err := unix.Madvise(copied, unix.MADV_HUGEPAGE); err != nil {
		return fmt.Errorf("madvise: %w", err)
	}
	copy(copied, unsafe.Slice((*byte)(from), size))
	if err := unix.Mprotect(copied, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return fmt.Errorf("mprotect: %w", err)
	}
	_, err := unix.MremapPtr(to, size, from, size, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED)
	if err != nil {
		return fmt.Errorf("mremap: %w", err)
	}
	return nil
}
