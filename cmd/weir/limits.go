package main

import (
	"log/slog"
	"os"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"weir/internal/hugetext"
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

var moveText = sync.OnceValue(hugetext.Move)

// tuneCode puts weir's code on huge pages where the system lets it, unless the environment says otherwise.
func tuneCode(log *slog.Logger) {
	if os.Getenv("WEIR_HUGE_PAGES") == "off" {
		return
	}
	if err := moveText(); err != nil {
		log.Debug("the code is not on huge pages", "error", err.Error())
	}
}
