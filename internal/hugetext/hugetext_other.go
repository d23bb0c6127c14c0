//go:build !linux

package hugetext

import "errors"

// Move is for Linux.
func Move() error { return errors.ErrUnsupported }
