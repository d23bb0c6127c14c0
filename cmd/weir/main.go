// Command weir is the reverse proxy: `weir help` says what it can do.
package main

import "os"

func main() {
	c := newCLI(os.Stdin, os.Stdout, os.Stderr)
	os.Exit(c.run(os.Args[1:]))
}
