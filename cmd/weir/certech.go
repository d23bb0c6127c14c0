package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/assemble"
	"weir/cert"
	"weir/config"
)

func (c *cli) certECHCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ech [-c FILE] [--rotate]",
		Short: "Print the DNS records that let clients encrypt the name they ask for",
		Long: `Prints, for each listener with an ech block, the HTTPS records (RFC 9460) of its sites,
as a zone file has them. With them clients encrypt the name that they ask for, and who
listens on the way sees the public name alone. The keys are kept in state_dir, which
others than weir's user and root may not read.

--rotate makes another key first. A running weir takes it up with ` + "`weir reload`" + `, and goes
on accepting as many older keys as the configuration says (keep), so that the records can
follow when they are due; clients with a key that is older still are told the new one.`,
		Example: `  weir cert ech -c weir.hcl
  weir cert ech --rotate && weir reload`,
		Args: noArguments,
	}
	file := configFlag(cmd)
	rotate := cmd.Flags().Bool("rotate", false, "make another key first")
	cmd.RunE = func(_ *cobra.Command, _ []string) error {
		name, err := file()
		if err != nil {
			return err
		}
		cfg, found := config.Load(name)
		if cfg == nil {
			if err := found.Write(c.err, c.errColor); err != nil {
				return failed(err)
			}
			return exit{code: exitConfig}
		}
		return c.writeECH(cfg, *rotate)
	}
	return cmd
}

// writeECH writes the records of all listeners that have keys.
func (c *cli) writeECH(cfg *config.Config, rotate bool) error {
	some := false
	done := map[string]bool{}
	for _, l := range cfg.Listeners {
		if l.TLS == nil || l.TLS.ECH == nil {
			continue
		}
		keys, err := c.keysOf(cfg, l.TLS.ECH, rotate && !done[l.TLS.ECH.PublicName])
		if err != nil {
			return err
		}
		done[l.TLS.ECH.PublicName] = true
		for _, line := range echRecords(cfg, l, keys[0]) {
			some = true
			fmt.Fprintln(c.out, line)
		}
	}
	switch {
	case len(done) == 0:
		return exit{exitConfig, errors.New(`no listener encrypts names: write ech { public_name = "cover.example.com" } in its tls block`)}
	case !some:
		return exit{exitConfig, errors.New("no site has a name of its own that a record could be for")}
	}
	return nil
}

// keysOf are the keys of a public name, the newest first.
func (c *cli) keysOf(cfg *config.Config, e *config.ECH, rotate bool) (cert.ECHKeys, error) {
	keys, err := assemble.ECHKeys(cfg.StateDir, e)
	if rotate {
		keys, err = c.rotateECH(cfg, e)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, exit{exitConfig, fmt.Errorf("there is no key for %q in %q yet: weir makes one when it runs with this configuration, or --rotate does", e.PublicName, cfg.StateDir)}
	case errors.Is(err, fs.ErrPermission):
		return nil, failed(fmt.Errorf("%w; run as root or weir's user", err))
	case err != nil:
		return nil, exit{exitConfig, err}
	}
	return keys, nil
}

func (c *cli) rotateECH(cfg *config.Config, e *config.ECH) (cert.ECHKeys, error) {
	owner, err := ownerOf(cfg.StateDir, cfg.User)
	if err != nil {
		return nil, err
	}
	keys, err := assemble.RotateECH(cfg.StateDir, e, time.Now())
	if err == nil {
		err = owner.take(cfg.StateDir, assemble.ECHFolder)
	}
	return keys, err
}

// echRecords are the HTTPS records of the sites of a listener. Those of another port than 443 have the port in their name
// (RFC 9460, section 2.3).
func echRecords(cfg *config.Config, l *config.Listener, key *cert.ECH) []string {
	_, port, _ := net.SplitHostPort(l.Address)
	port = cmp.Or(port, "443")
	var lines []string
	for _, s := range cfg.Sites {
		if len(s.On) > 0 && !slices.Contains(s.On, l.Name) || s.TLS != nil && s.TLS.From == config.FromNowhere {
			continue
		}
		for _, h := range s.Hosts {
			if h == "*" || !strings.Contains(h, ".") || net.ParseIP(strings.Trim(h, "[]")) != nil || strings.EqualFold(h, l.TLS.ECH.PublicName) {
				continue
			}
			owner, target, at := h, ".", ""
			if port != "443" {
				owner, target, at = "_"+port+"._https."+h, h+".", " port="+port
			}
			lines = append(lines, fmt.Sprintf("%s. 3600 IN HTTPS 1 %s alpn=%q%s ech=%q", owner, target, strings.Join(alpnOf(l), ","), at, key.Parameter()))
		}
	}
	return lines
}

// alpnOf are the protocols of a listener as records name them, the best first.
func alpnOf(l *config.Listener) []string {
	list := []string{"h3", "h2", "http/1.1"}
	if len(l.Protocols) == 0 {
		return list[:2]
	}
	return slices.DeleteFunc(list, func(p string) bool {
		return !slices.Contains(l.Protocols, map[string]string{"http/1.1": "h1"}[p]) && !slices.Contains(l.Protocols, p)
	})
}
