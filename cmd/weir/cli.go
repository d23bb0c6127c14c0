package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit codes; root's help documents them.
const (
	exitOK     = 0
	exitConfig = 1 // the configuration has errors, or a file or a certificate is not as it should be
	exitUsage  = 2 // the command line has
	exitFailed = 3 // it could not be done: an address is taken, nobody answers
)

// A cli is one run of the command: where it reads and writes.
type cli struct {
	in       io.Reader
	out, err io.Writer
	outColor bool // colours may be written to out
	errColor bool // and to err
}

func newCLI(in io.Reader, out, err *os.File) *cli {
	return &cli{in: in, out: out, err: err, outColor: colors(out), errColor: colors(err)}
}

// colors reports whether f is a terminal whose user has not asked for plain text (https://no-color.org).
func colors(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// An exit is an error that ends the command with a code of its own. It has been printed already where err is nil.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// failed is an exit for what could not be done; nil for no error.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return exit{exitFailed, err}
}

// run does what the arguments say and returns the exit code.
func (c *cli) run(args []string) int {
	root := c.root()
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitOK
	}
	var e exit
	if errors.As(err, &e) {
		if e.err != nil {
			fmt.Fprintf(c.err, "weir: %v\n", e.err)
		}
		return e.code
	}
	fmt.Fprintf(c.err, "weir: %v\nrun `%s --help` for what can be said\n", err, cmd.CommandPath())
	return exitUsage
}

// knownCommand is for what stands where a command should.
func (c *cli) knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("command %q is not known: did you mean %q?", args[0], near[0])
	}
	return fmt.Errorf("command %q is not known", args[0])
}

// root is the whole command line.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "A reverse proxy: one binary, one readable file, an explanation for everything",
		Long: `weir is a reverse proxy: one binary, one readable configuration file, and an
explanation for everything it does.

Exit codes: 0 done; 1 the configuration has errors, or a file or a certificate is
not as it should be; 2 the command line is wrong; 3 it could not be done (an address
is taken, nobody answers at the admin address).`,
		Example: `  weir demo                                  # see it at work
  weir proxy --from :8080 --to 127.0.0.1:3000  # without a file
  weir check weir.hcl && weir run -c weir.hcl`,
		Args:          c.knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(
		&cobra.Group{ID: "serve", Title: "To serve:"},
		&cobra.Group{ID: "config", Title: "To work on the configuration:"},
		&cobra.Group{ID: "steer", Title: "To steer and understand:"})
	add := func(group string, cmds ...*cobra.Command) {
		for _, cmd := range cmds {
			cmd.GroupID = group
			cmd.DisableFlagsInUseLine = true
			root.AddCommand(cmd)
		}
	}
	add("serve", c.runCommand(), c.proxyCommand(), c.demoCommand())
	add("config", c.checkCommand(), c.fmtCommand(), c.explainCommand())
	add("steer", c.reloadCommand(), c.certCommand(), c.causeCommand(), c.versionCommand())
	add("", c.manCommand())
	return root
}
