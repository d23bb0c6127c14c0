package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/spf13/cobra"

	"weir/assemble"
)

func (c *cli) certRootCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "root [-c FILE | --state-dir FOLDER | --admin ADDRESS] [--trust]",
		Short: "Print the root of weir's own authority, or have it trusted",
		Long: `Prints, in PEM, the root of the authority that signs the certificates of sites whose
tls is "internal". Clients have to trust it. It is no secret: its key is, and stays in
state_dir. It is read from state_dir, which others than weir's user and root may not;
with --admin a running weir is asked instead, also one on another machine.

--trust adds it to the system's store of trusted authorities, for which it has to be run
as root, and says what was done. Programs with a store of their own, such as Firefox and
Java, have to be told separately. Whoever has the key can then pass for any website
before this machine: keep state_dir safe.`,
		Example: `  weir cert root > weir-root.pem
  curl --cacert weir-root.pem https://intranet.internal/
  sudo weir cert root --trust
  weir cert root --admin ops:secret@10.0.0.1:9180`,
		Args: noArguments,
	}
	where := stateFlags(cmd)
	address := cmd.Flags().String("admin", "", "ask the running weir with this admin `address`, or unix:/path")
	trust := cmd.Flags().Bool("trust", false, "add it to the authorities that this machine trusts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		root, err := c.findRoot(cmd, where, *address)
		switch {
		case err != nil:
			return err
		case *trust:
			return c.trust(cmd.Context(), trustStores, root)
		}
		_, err = c.out.Write(root)
		return failed(err)
	}
	return cmd
}

func (c *cli) findRoot(cmd *cobra.Command, where *state, address string) ([]byte, error) {
	if cmd.Flags().Changed("admin") {
		if cmd.Flags().Changed("config") || cmd.Flags().Changed("state-dir") {
			return nil, errors.New("--admin asks a running weir, which knows its state_dir: leave out --config and --state-dir")
		}
		return askRoot(cmd.Context(), address)
	}
	dir, _, err := where.find(c)
	if err != nil {
		return nil, err
	}
	root, err := assemble.Root(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, exit{exitConfig, fmt.Errorf("there is no authority of weir's own in %q: it is made when a site is served whose certificate it signs", dir)}
	case errors.Is(err, fs.ErrPermission):
		return nil, exit{exitFailed, fmt.Errorf("%w; run as root or weir's user, or ask the running weir: --admin", err)}
	case err != nil:
		return nil, exit{exitConfig, err}
	}
	return root, nil
}

func askRoot(ctx context.Context, address string) ([]byte, error) {
	status, text, err := question{method: http.MethodGet, path: "/certificates/root", patience: adminPatience}.ask(ctx, address)
	if err != nil || status == http.StatusOK {
		return text, err
	}
	got, err := certificatesIn(status, text)
	if err == nil {
		err = exit{exitConfig, errors.New(got.Error)}
	}
	return nil, err
}
