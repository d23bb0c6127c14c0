// Package bounded reads files that must not be larger than a limit, whatever they are: a device that never
// ends included.
package bounded

import (
	"fmt"
	"io"
	"os"
)

// ReadFile returns the content of a file of at most limit bytes.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%q is larger than %d bytes", name, limit)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}
