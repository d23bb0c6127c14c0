//go:build profile

package main

import (
	"log"
	"os"
	"runtime/pprof"
)

// profile writes where the processor's time goes to the file that WEIR_PROFILE names, until stop. It is compiled in
// by bench/profile alone, which makes default.pgo of it.
func profile() (stop func()) {
	f, err := os.Create(os.Getenv("WEIR_PROFILE"))
	if err != nil {
		log.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		log.Fatal(err)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}
}
