package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/assemble"
	"weir/config"
)

// proxyFlags are a configuration without a file.
type proxyFlags struct {
	from, to, hosts []string
	balance, health string
	admin           string
	log             bool
	print           bool
}

func (c *cli) proxyCommand() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy --from ADDRESS --to ADDRESS...",
		Short: "Serve without a file: from an address to one or more servers",
		Long: `Makes a configuration of the command line and serves it. A port alone ("3000") is one
of this machine. Signals and exit codes are those of weir run.`,
		Example: `  weir proxy --from :8080 --to 3000
  weir proxy --from :80 --to 10.0.0.11:3000 --to 10.0.0.12:3000 --health /healthz
  weir proxy --from :8080 --to 3000 --print > weir.hcl   # go on with a file`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.proxy(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.from, "from", []string{":8080"}, "`address` to listen on; may be repeated")
	flags.StringArrayVar(&f.to, "to", nil, "`address` of a server, or unix:/path; may be repeated")
	flags.StringArrayVar(&f.hosts, "host", nil, "serve this `host` only, such as shop.example.com or *.example.com; may be repeated")
	flags.StringVar(&f.balance, "balance", "", "how to choose a server, the `way`: "+strings.Join(balancers(), ", "))
	flags.StringVar(&f.health, "health", "", "`path` to ask each server for, to see whether it is well")
	flags.StringVar(&f.admin, "admin", "", "`address` for dashboard, metrics and reload, such as 127.0.0.1:9180")
	flags.BoolVar(&f.log, "log", false, "write a line for each request to standard output")
	flags.BoolVar(&f.print, "print", false, "print the configuration instead of serving it")
	_ = cmd.RegisterFlagCompletionFunc("balance", cobra.FixedCompletions(balancers(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func balancers() []string {
	return []string{config.RoundRobin, config.Random, config.LeastRequest, config.LeastTime, config.Hash, config.Maglev}
}

func (c *cli) proxy(ctx context.Context, f proxyFlags) error {
	if len(f.to) == 0 {
		return errors.New("--to is missing: name a server, such as --to 127.0.0.1:3000")
	}
	text, err := f.text()
	if err != nil {
		return err
	}
	if f.print {
		return c.print(text)
	}
	return c.serve(ctx, service{path: "<command line>", load: func() (*config.Config, config.Diagnostics) {
		return config.Parse("<command line>", []byte(text))
	}})
}

// print writes a configuration that has no errors.
func (c *cli) print(text string) error {
	cfg, found := config.Parse("<command line>", []byte(text))
	if cfg != nil {
		found = append(found, assemble.Check(cfg)...)
	}
	if err := found.Write(c.err, c.errColor); err != nil {
		return failed(err)
	}
	if found.HasErrors() {
		return exit{code: exitConfig}
	}
	_, err := io.WriteString(c.out, text)
	return failed(err)
}

// text is the configuration that the flags stand for.
func (f *proxyFlags) text() (string, error) {
	var b strings.Builder
	listeners := map[string]bool{}
	for i, from := range f.from {
		address, err := listenAddress(from)
		if err != nil {
			return "", fmt.Errorf("--from %q: %w", from, err)
		}
		if listeners[address] && !strings.HasSuffix(address, ":0") {
			return "", fmt.Errorf("--from %q: the address is named twice", from)
		}
		listeners[address] = true
		fmt.Fprintf(&b, "listener %s {\n  address = %s\n}\n\n", quote(numbered("http", i)), quote(address))
	}
	b.WriteString("upstream \"app\" {\n")
	servers := map[string]bool{}
	for _, to := range f.to {
		address, err := serverAddress(to)
		if err != nil {
			return "", fmt.Errorf("--to %q: %w", to, err)
		}
		if servers[address] {
			return "", fmt.Errorf("--to %q: the server is named twice", to)
		}
		servers[address] = true
		fmt.Fprintf(&b, "  server %s {}\n", quote(address))
	}
	attribute(&b, "  ", "balance", f.balance)
	if f.health != "" {
		b.WriteString("  health {\n")
		attribute(&b, "    ", "path", f.health)
		b.WriteString("  }\n")
	}
	b.WriteString("}\n\nsite \"*\" {\n")
	if len(f.hosts) > 0 {
		fmt.Fprintf(&b, "  hosts = [%s]\n", strings.Join(quoteAll(f.hosts), ", "))
	}
	b.WriteString("  route \"/*\" {\n    proxy = upstream.app\n  }\n}\n")
	if f.admin != "" {
		fmt.Fprintf(&b, "\nadmin {\n  listen = %s\n}\n", quote(f.admin))
	}
	if f.log {
		b.WriteString("\nlog \"access\" {\n  to     = \"stdout\"\n  format = \"combined\"\n}\n")
	}
	return b.String(), nil
}

func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(i+1)
}

func attribute(b *strings.Builder, indent, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "%s%s = %s\n", indent, name, quote(value))
	}
}

// quote writes s as a string of the configuration language, which fills in what begins with ${ and %{.
func quote(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(strconv.Quote(s))
}

func quoteAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return out
}

// listenAddress takes "8080" for ":8080".
func listenAddress(s string) (string, error) {
	if isPort(s) {
		return ":" + s, nil
	}
	return checkAddress(s)
}

// serverAddress takes "3000", "localhost:3000", "unix:/run/app.sock" and "http://10.0.0.1", without a path.
func serverAddress(s string) (string, error) {
	if isPort(s) {
		return "127.0.0.1:" + s, nil
	}
	if !strings.Contains(s, "://") {
		return checkAddress(s)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", errors.New("not an address")
	case u.Scheme != "http":
		return "", fmt.Errorf("servers are spoken to by http; %s is not available yet", u.Scheme)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "":
		return "", errors.New("a server has no path; a configuration file's rewrite adds one")
	case u.Port() == "":
		return checkAddress(net.JoinHostPort(u.Hostname(), "80"))
	}
	return checkAddress(u.Host)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

func checkAddress(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok && path != "" {
		return s, nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil || !isPort(port) {
		return "", errors.New("write host:port, a port, or unix:/path")
	}
	return s, nil
}
