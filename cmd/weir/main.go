// Command weir is the reverse proxy: `weir help` says what it can do.
package main

import "os"

func main() {
	stop := profile()
	c := newCLI(os.Stdin, os.Stdout, os.Stderr)
	code := c.run(os.Args[1:])
	stop()
	os.Exit(code)
}
