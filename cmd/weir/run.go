package main

import (
	"context"

	"github.com/spf13/cobra"

	"weir/config"
)

func (c *cli) runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [-c FILE] [--watch]",
		Short: "Serve what a configuration file says",
		Long: `Reads the configuration, listens, and serves until it is told to stop. A site with
an error is left out and reported; the others are served. On a reload such a site
keeps its last good version.

Signals: HUP reads the configuration again; USR1 opens the log files again; TERM and
INT finish what is under way within grace (30s unless the configuration says
otherwise) and end, a second one ends at once. Under systemd it says when it is
ready, reloading and stopping, and takes sockets that it is handed.

GOGC is 400 and the memory limit 90% of the container's, unless GOGC and
GOMEMLIMIT say otherwise. Exit codes: 0 ended as told; 1 the configuration has
errors; 2 the command line is wrong; 3 it could not start, such as for an address
that is taken.`,
		Example: `  weir run
  weir run -c /etc/weir/weir.hcl
  weir run -c weir.hcl --watch   # reload when a file changes`,
		Args: noArguments,
	}
	file := configFlag(cmd)
	watch := cmd.Flags().Bool("watch", false, "reload when the configuration, or a file that it includes, changes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		name, err := file()
		if err != nil {
			return err
		}
		return c.serve(cmd.Context(), service{
			path:  name,
			load:  func() (*config.Config, config.Diagnostics) { return config.Load(name) },
			watch: *watch,
		})
	}
	return cmd
}

// A service is what serve runs.
type service struct {
	path  string // of the configuration file, for the log
	load  func() (*config.Config, config.Diagnostics)
	watch bool
	ready func(ctx context.Context) // called once, when connections are accepted; may be nil
}
