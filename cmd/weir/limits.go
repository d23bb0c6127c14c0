package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	gcPercent   = 400 // a proxy's heap is small and its garbage plentiful
	memoryShare = 0.9 // of the container's limit
)

// tuneMemory sets the collector's pace and limit, unless the environment does.
func tuneMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	if err == nil && limit > 0 {
		log.Debug("memory limited", "bytes", limit)
	}
}
