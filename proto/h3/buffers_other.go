//go:build !linux

package h3

// There are no options that set a buffer beyond the system's limit.
const (
	forceReceive = 0
	forceSend    = 0
)
