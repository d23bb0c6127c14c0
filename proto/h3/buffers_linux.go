package h3

import "syscall"

// Options that set a buffer beyond the system's limit, for who may.
const (
	forceReceive = syscall.SO_RCVBUFFORCE
	forceSend    = syscall.SO_SNDBUFFORCE
)
