package observe

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// A sink is where lines go. One goroutine at a time uses it, but for close, which breaks off a write
// that blocks.
type sink interface {
	// write writes whole lines and tells how many of them are lost for certain.
	write(lines []byte) (lost int, err error)
	// reopen makes a sink with a name look the name up anew. After an error it goes on as before.
	reopen() error
	close() error
}

// openSink opens the sink that LogConfig.To names.
func openSink(cfg LogConfig) (sink, error) {
	switch {
	case cfg.To == "stdout" || cfg.To == "":
		return stream{os.Stdout}, nil
	case cfg.To == "stderr":
		return stream{os.Stderr}, nil
	case cfg.To == "syslog" || strings.HasPrefix(cfg.To, "syslog:") || strings.HasPrefix(cfg.To, "syslog+"):
		return newSyslog(cfg)
	}
	return openFile(cfg.To, cfg.Rotate)
}

// A stream is a sink that somebody else has opened and closes.
type stream struct{ w io.Writer }

func (s stream) write(lines []byte) (int, error) {
	n, err := s.w.Write(lines)
	return lostLines(lines[n:], err), err
}

func (s stream) reopen() error { return nil }
func (s stream) close() error  { return nil }

// lostLines counts the lines that end in rest, if err says that it was not written.
func lostLines(rest []byte, err error) int {
	if err == nil {
		return 0
	}
	return bytes.Count(rest, []byte{'\n'})
}
