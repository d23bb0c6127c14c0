package main

import (
	"log/slog"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const memoryShare = 0.9 // of the container's limit

// tuneMemory sets the collector's pace and limit, unless the environment does.
func tuneMemory(log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		pace()
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	if err == nil && limit > 0 {
		log.Debug("memory limited", "bytes", limit)
	}
}
