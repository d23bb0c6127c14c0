package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/admin"
	"weir/assemble"
	"weir/config"
	"weir/observe"
)

const (
	// renewPatience is longer than a running weir takes for a certificate.
	renewPatience = 20 * time.Minute

	// completePatience is how long a shell waits for the names that it may complete.
	completePatience = 2 * time.Second
)

func (c *cli) certCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Look at certificates, renew and import them",
		Long: `Looks at the certificates of a running weir and has them renewed, takes over those of
certbot and Caddy, and has this machine trust weir's own authority.`,
		Example: `  weir cert list
  weir cert show www.example.com
  weir cert renew www.example.com
  weir cert import /etc/letsencrypt
  weir cert root --trust
  weir cert ech`,
		Args: c.knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	for _, sub := range []*cobra.Command{c.certListCommand(), c.certShowCommand(), c.certRenewCommand(), c.certImportCommand(), c.certRootCommand(), c.certECHCommand()} {
		sub.DisableFlagsInUseLine = true
		cmd.AddCommand(sub)
	}
	return cmd
}

// A remote is a weir that answers at an admin address, as flags name it.
type remote struct {
	cmd     *cobra.Command
	file    func() (string, error)
	address *string
}

// remoteFlags adds --config and --admin to cmd.
func remoteFlags(cmd *cobra.Command) *remote {
	return &remote{
		cmd: cmd, file: configFlag(cmd),
		address: cmd.Flags().String("admin", "", "admin `address` of the running weir, or unix:/path"),
	}
}

// at is the address that the flags say.
func (r *remote) at() (string, error) {
	if r.cmd.Flags().Changed("admin") {
		if r.cmd.Flags().Changed("config") {
			return "", errors.New("--admin and --config are two ways of naming one process: use one")
		}
		return *r.address, nil
	}
	name, _ := r.file() // without one, the default is asked
	return adminOf(name), nil
}

// formatFlag adds --format to cmd; json reports whether it asks for that.
func formatFlag(cmd *cobra.Command) (json func() (bool, error)) {
	format := cmd.Flags().String("format", "text", "how to write: `text` or json")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return func() (bool, error) {
		if *format != "text" && *format != "json" {
			return false, fmt.Errorf("format %q is not known: write text or json", *format)
		}
		return *format == "json", nil
	}
}

func (c *cli) certListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [-c FILE | --admin ADDRESS] [--kept]",
		Short: "List the certificates of a running weir",
		Long: `Lists the certificates that a running weir shows to clients, or would show if it had
them, those first that somebody should look at. The states:

  missing   there is none, and the last attempt to get one failed
  expired   it has expired
  doubtful  it is valid, but something is wrong: see the last column
  pending   there is none yet; it is being got
  ok        nothing needs to be done
  unasked   of weir's own authority, which makes it when a client asks for it

With --kept no running weir is asked: what the state_dir of the configuration has of
public authorities is listed, whether or not it is in use.`,
		Example: `  weir cert list
  weir cert list --admin unix:/run/weir/admin.sock --format json
  weir cert list --kept -c weir.hcl`,
		Args: noArguments,
	}
	weir, asJSON := remoteFlags(cmd), formatFlag(cmd)
	kept := cmd.Flags().Bool("kept", false, "list what is kept in state_dir, without a running weir")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		j, err := asJSON()
		if err != nil {
			return err
		}
		list, err := c.certificates(cmd.Context(), weir, *kept)
		if err != nil {
			return err
		}
		observe.WorstFirst(list)
		if j {
			return failed(c.writeJSON(admin.Certificates{Certificates: list}))
		}
		return failed(c.writeTable(list, time.Now()))
	}
	return cmd
}

// certificates are those of a running weir, or those that are kept.
func (c *cli) certificates(ctx context.Context, r *remote, kept bool) ([]observe.CertificateStatus, error) {
	if !kept {
		return r.certificates(ctx, adminPatience)
	}
	if r.cmd.Flags().Changed("admin") {
		return nil, errors.New("--kept asks no running weir: leave out --admin")
	}
	state, _, err := c.stateOf(r.file)
	if err != nil {
		return nil, err
	}
	list, err := assemble.Kept(state, time.Now())
	return list, failed(err)
}

// certificates asks for all certificates.
func (r *remote) certificates(ctx context.Context, patience time.Duration) ([]observe.CertificateStatus, error) {
	address, err := r.at()
	if err != nil {
		return nil, err
	}
	status, text, err := question{
		method: http.MethodGet, path: "/certificates", patience: patience, otherwise: "weir cert list --kept",
	}.ask(ctx, address)
	if err != nil {
		return nil, err
	}
	got, err := certificatesIn(status, text)
	if err == nil && got.Error != "" {
		err = failed(errors.New(got.Error))
	}
	return got.Certificates, err
}

func certificatesIn(status int, text []byte) (got admin.Certificates, err error) {
	if err := json.Unmarshal(text, &got); err != nil || status >= 300 && got.Error == "" {
		return got, failed(fmt.Errorf("the admin address answers with status %d and %q", status, text))
	}
	return got, nil
}

// stateOf is the state_dir of a configuration, and the user that weir becomes.
func (c *cli) stateOf(file func() (string, error)) (state, user string, err error) {
	name, err := file()
	if err != nil {
		return "", "", err
	}
	cfg, found := config.Load(name)
	if cfg == nil {
		if err := found.Write(c.err, c.errColor); err != nil {
			return "", "", failed(err)
		}
		return "", "", exit{code: exitConfig}
	}
	return cfg.StateDir, cfg.User, nil
}

// completeNames are the names of a running weir's certificates, for shells.
func (r *remote) completeNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if len(args) == 0 {
		list, _ := r.certificates(cmd.Context(), completePatience)
		for i := range list {
			names = append(names, list[i].Names...)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (c *cli) certShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [-c FILE | --admin ADDRESS] NAME",
		Short: "Show the certificate that a name leads to",
		Long: `Shows all that a running weir knows of the certificate that a name leads to: who issued
it, until when it is valid, when it is replaced, and if that has failed, at which step,
why, and when it is tried again. The exit code is 1 where there is none.`,
		Example: `  weir cert show www.example.com
  weir cert show --format json '*.example.com'`,
		Args: oneArgument("a name", true),
	}
	weir, asJSON := remoteFlags(cmd), formatFlag(cmd)
	cmd.ValidArgsFunction = weir.completeNames
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		j, err := asJSON()
		if err != nil {
			return err
		}
		all, err := weir.certificates(cmd.Context(), adminPatience)
		if err != nil {
			return err
		}
		list := []observe.CertificateStatus{}
		for _, s := range all {
			if s.Has(args[0]) || s.Name() == args[0] {
				list = append(list, s)
			}
		}
		switch {
		case len(list) == 0:
			return exit{exitConfig, unknownName(args[0])}
		case j:
			return failed(c.writeJSON(admin.Certificates{Certificates: list}))
		}
		return failed(c.writeFacts(list, time.Now()))
	}
	return cmd
}

func unknownName(name string) error {
	return fmt.Errorf("no site and no listener wants a certificate for %q; `weir cert list` lists them all", name)
}

func (c *cli) certRenewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "renew [-c FILE | --admin ADDRESS] NAME",
		Short: "Get a new certificate for a name now, and wait for it",
		Long: `Has a running weir get a new certificate for a name now, whatever is left of the one
before, and waits until it is in force: orders it from a public authority, which may
take minutes, or makes it where it is of weir's own authority. What comes from files is
read anew; renewing those is up to whatever writes them.

Where there is no new one, the failing step is said in plain words and the exit code is
1; the certificate of before stays in force. To stay within the limits of public
authorities, weir refuses more than a few attempts in a row.`,
		Example: `  weir cert renew www.example.com
  weir cert renew --admin unix:/run/weir/admin.sock '*.example.com'`,
		Args: oneArgument("a name", true),
	}
	weir := remoteFlags(cmd)
	cmd.ValidArgsFunction = weir.completeNames
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		address, err := weir.at()
		if err != nil {
			return err
		}
		return c.renew(cmd.Context(), address, args[0])
	}
	return cmd
}

func (c *cli) renew(ctx context.Context, address, name string) error {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return failed(err)
	}
	status, text, err := question{
		method: http.MethodPost, path: "/certificates/renew", body: bytes.NewReader(body), patience: renewPatience,
	}.ask(ctx, address)
	if err != nil {
		return err
	}
	got, err := certificatesIn(status, text)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		return exit{exitConfig, unknownName(name)}
	case got.Error != "":
		return exit{exitConfig, fmt.Errorf("no new certificate for %s: %s", name, got.Error)}
	}
	now := time.Now()
	for _, s := range got.Certificates {
		fmt.Fprintf(c.out, "%s: a new certificate by %s, valid until %s\n", strings.Join(s.Names, ", "), s.Issuer, moment(s.Until, now))
	}
	return nil
}

func (c *cli) writeJSON(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
