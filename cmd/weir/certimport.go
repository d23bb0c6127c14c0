package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/assemble"
	"weir/cert"
)

// A state is a state_dir as flags name it.
type state struct {
	cmd  *cobra.Command
	file func() (string, error)
	dir  *string
}

// stateFlags adds --config and --state-dir to cmd.
func stateFlags(cmd *cobra.Command) *state {
	s := &state{cmd: cmd, file: configFlag(cmd), dir: cmd.Flags().String("state-dir", "", "the `folder` that is state_dir in the configuration")}
	_ = cmd.MarkFlagDirname("state-dir")
	return s
}

// find returns the folder, and the user that weir becomes where the configuration says it.
func (s *state) find(c *cli) (dir, user string, err error) {
	switch {
	case !s.cmd.Flags().Changed("state-dir"):
		return c.stateOf(s.file)
	case s.cmd.Flags().Changed("config"):
		return "", "", errors.New("--state-dir and --config are two ways of naming one folder: use one")
	}
	return *s.dir, "", nil
}

func (c *cli) certImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import [-c FILE | --state-dir FOLDER] FOLDER",
		Short: "Take over the certificates of certbot or Caddy",
		Long: `Takes over the certificates in the store of certbot (usually /etc/letsencrypt) or of
Caddy (usually /var/lib/caddy/.local/share/caddy) with their keys, so that nothing has
to be ordered anew before they end. The store is only read. Each certificate is kept for
all its names in state_dir, unless one that lasts longer is there.

weir need not run; one that does takes up what it has no certificate for yet with the
next reload, and the rest when it would renew. Run as root, what is written belongs to
whom the state_dir belongs to. The exit code is 1 where nothing is taken over.`,
		Example: `  weir cert import /etc/letsencrypt
  weir cert import --state-dir /var/lib/weir /var/lib/caddy/.local/share/caddy`,
		Args: oneArgument("a folder", true),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	where := stateFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir, user, err := where.find(c)
		if err != nil {
			return err
		}
		return c.importStore(dir, user, args[0])
	}
	return cmd
}

func (c *cli) importStore(dir, user, store string) error {
	owner, err := ownerOf(dir, user)
	if err != nil {
		return failed(err)
	}
	list, err := assemble.Import(dir, store, time.Now())
	if err == nil {
		err = owner.take(dir, assemble.ACMEFolder)
	}
	if err != nil {
		return exit{exitConfig, err}
	}
	return c.reportImport(dir, list)
}

func (c *cli) reportImport(dir string, list []cert.Imported) error {
	taken, now := 0, time.Now()
	for _, i := range list {
		if len(i.Names) > 0 {
			taken++
			fmt.Fprintf(c.out, "%s: taken over for %s, valid until %s\n", i.File, strings.Join(i.Names, ", "), moment(i.Until, now))
		}
		if i.Skipped != "" {
			fmt.Fprintf(c.err, "%s: left out: %s\n", i.File, i.Skipped)
		}
	}
	if taken == 0 {
		return exit{exitConfig, errors.New("nothing is taken over")}
	}
	fmt.Fprintf(c.out, "%s of %d in %s; a running weir takes them up with `weir reload`\n", plural(taken, "certificate"), len(list), dir)
	return nil
}
