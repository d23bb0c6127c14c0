package observe

import (
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

const fileMode = 0o640 // who asked for what is not everybody's business

// A file is a sink that puts itself aside when it has grown too big or too old.
type file struct {
	path   string
	rotate Rotate
	now    func() time.Time

	mu sync.Mutex // protects f's being replaced against close
	f  *os.File

	size   int64
	period int64 // number of the Rotate.Age that what stands in it belongs to
	plain  bool  // a regular file: not a pipe, not a device
	torn   bool  // it ends in the middle of a line
}

func openFile(path string, r Rotate) (*file, error) {
	if r.Keep == 0 {
		r.Keep = 10
	}
	f := &file{path: path, rotate: r, now: time.Now}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) reopen() error {
	next, info, err := openAppend(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.f
	f.f = next
	f.mu.Unlock()
	if old != nil {
		old.Close()
	}
	f.plain, f.size, f.torn = info.Mode().IsRegular(), info.Size(), false
	f.period = f.periodOf(f.now())
	if f.plain && f.size > 0 {
		f.period = f.periodOf(info.ModTime())
	}
	return nil
}

// openAppend opens path for appending. A pipe is opened for reading, too: so it does not wait for a
// reader, and lines are lost only where none comes.
func openAppend(path string) (*os.File, fs.FileInfo, error) {
	flag := os.O_WRONLY | os.O_APPEND | os.O_CREATE
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(path, flag, fileMode)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func (f *file) periodOf(t time.Time) int64 {
	if f.rotate.Age <= 0 {
		return 0
	}
	return t.UnixNano() / int64(f.rotate.Age)
}

func (f *file) write(lines []byte) (lost int, err error) {
	if f.due(len(lines)) {
		if err := f.putAside(); err != nil {
			f.period = f.periodOf(f.now()) // not again with each write
			return f.append(lines, err)
		}
	}
	return f.append(lines, nil)
}

// append writes lines at the end; before is an error to report even if that goes well.
func (f *file) append(lines []byte, before error) (lost int, err error) {
	if f.torn {
		if _, err := f.f.Write([]byte{'\n'}); err != nil {
			return lostLines(lines, err), err
		}
		f.torn = false
	}
	n, err := f.f.Write(lines)
	f.size += int64(n)
	f.torn = n > 0 && lines[n-1] != '\n'
	if err != nil {
		return lostLines(lines[n:], err), err
	}
	return 0, before
}

// due reports whether the file is to be put aside before n more bytes.
func (f *file) due(n int) bool {
	if !f.plain || f.size == 0 {
		return false
	}
	if f.rotate.Size > 0 && f.size+int64(n) > f.rotate.Size {
		return true
	}
	return f.rotate.Age > 0 && f.periodOf(f.now()) != f.period
}

// putAside renames PATH.9 to PATH.10 and so on down to PATH to PATH.1, and begins a new file.
func (f *file) putAside() error {
	for i := f.rotate.Keep - 1; i >= 1; i-- {
		err := os.Rename(f.numbered(i), f.numbered(i+1))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := os.Rename(f.path, f.numbered(1)); err != nil && !os.IsNotExist(err) {
		return err
	}
	f.dropBeyondKeep()
	return f.reopen()
}

// dropBeyondKeep removes what a larger Keep has left.
func (f *file) dropBeyondKeep() {
	for i := f.rotate.Keep + 1; os.Remove(f.numbered(i)) == nil; i++ {
	}
}

func (f *file) numbered(i int) string { return f.path + "." + strconv.Itoa(i) }

func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Close()
}
