package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (c *cli) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages into a folder",
		Example: `  weir man /usr/local/share/man/man1
  weir man . && man ./weir-run.1`,
		Args: oneArgument("a folder", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failed(err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // the same source makes the same pages
			err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "weir " + version, Manual: "weir"}, args[0])
			if err != nil {
				return failed(err)
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "weir*.1"))
			fmt.Fprintf(c.out, "%d pages written to %s\n", len(pages), args[0])
			return failed(err)
		},
	}
}
