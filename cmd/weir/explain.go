package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"weir"
	"weir/assemble"
	"weir/config"
)

type explainFlags struct {
	method, client, listener string
	header                   []string
	json                     bool
}

func (c *cli) explainCommand() *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain [-c FILE] [-X METHOD] [-H 'NAME: VALUE']... URL",
		Short: "Say what would become of a request, and why",
		Long: `Runs a request through the engine's own code without sending anything: which listener
and site take it, which route wins and why each other one lost, what the chain does,
which upstream would be asked and what it would get to see.

The configuration need not be running, and no server need be there. The exit code
is 0 also where the answer would be a failure, and 1 where the configuration has
errors that leave nothing to explain.`,
		Example: `  weir explain http://localhost:8080/some/path
  weir explain -c weir.hcl -X POST -H 'X-Api-Key: 1' http://shop.example.com/api/orders
  weir explain --client 192.0.2.7 --json http://shop.example.com/admin`,
		Args: oneArgument("a URL", true),
	}
	file := configFlag(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.method, "request", "X", "GET", "`method` of the request")
	flags.StringArrayVarP(&f.header, "header", "H", nil, "header `field` as 'Name: value'; may be repeated; Host is the one that routes")
	flags.StringVar(&f.client, "client", "127.0.0.1", "`address` of the client")
	flags.StringVar(&f.listener, "listener", "", "`name` of the listener (default: the one with the URL's port, else the first)")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		q, err := f.request(args[0])
		if err != nil {
			return err
		}
		return c.explain(file(), q, f.json)
	}
	return cmd
}

// request makes a request of the command line.
func (f *explainFlags) request(url string) (assemble.Request, error) {
	q := assemble.Request{Method: f.method, URL: url, Listener: f.listener}
	client, err := netip.ParseAddr(f.client)
	if err != nil {
		return q, fmt.Errorf("--client %q: not an address", f.client)
	}
	q.Client = client
	for _, line := range f.header {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return q, fmt.Errorf("--header %q: write 'Name: value'", line)
		}
		q.Header = append(q.Header, weir.Field{Name: name, Value: strings.TrimSpace(value)})
	}
	return q, nil
}

func (c *cli) explain(file string, q assemble.Request, asJSON bool) error {
	cfg, found := config.Load(file)
	if found.HasErrors() { // of warnings `weir check` speaks
		if err := found.Write(c.err, c.errColor); err != nil {
			return failed(err)
		}
	}
	if cfg == nil {
		return exit{code: exitConfig}
	}
	e, err := assemble.Explain(cfg, q)
	if err != nil {
		return err
	}
	if !asJSON {
		return failed(e.Write(c.out, c.outColor))
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return failed(enc.Encode(e))
}
