package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"weir"
	"weir/admin"
	"weir/assemble"
	"weir/config"
)

type explainFlags struct {
	method, client, listener string
	target, version          string
	admin                    string
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

The configuration need not be running, and no server need be there; with --admin a
running weir is asked, which knows how its servers are. The exit code is 0 also where
the answer would be a failure, and 1 where the configuration has errors that leave
nothing to explain.`,
		Example: `  weir explain http://localhost:8080/some/path
  weir explain -c weir.hcl -X POST -H 'X-Api-Key: 1' http://shop.example.com/api/orders
  weir explain --client 192.0.2.7 --json http://shop.example.com/admin
  weir explain --http 1.0 -H 'Host:' http://shop.example.com/
  weir explain -X OPTIONS --target '*' --http 2 https://shop.example.com/
  weir explain --admin 127.0.0.1:9180 http://localhost:8080/`,
		Args: oneArgument("a URL", true),
	}
	file := configFlag(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&f.method, "request", "X", "GET", "`method` of the request")
	flags.StringArrayVarP(&f.header, "header", "H", nil, "header `field` as 'Name: value'; may be repeated; Host is the one that routes, and 'Host:' leaves it out")
	flags.StringVar(&f.client, "client", "127.0.0.1", "`address` of the client")
	flags.StringVar(&f.listener, "listener", "", "`name` of the listener (default: the one with the URL's port, else the first)")
	flags.StringVar(&f.target, "target", "", "`what` is asked for in place of the URL's path and query: '*' for OPTIONS")
	flags.StringVar(&f.version, "http", "", "`version` of HTTP: 1.0, 1.1, 2 or 3 (default: the first of 1.1, 2 and 3 that the listener speaks)")
	flags.StringVar(&f.admin, "admin", "", "ask the running weir with this admin `address`, or unix:/path")
	flags.BoolVar(&f.json, "json", false, "write JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, err := f.request(args[0])
		if err != nil {
			return err
		}
		e, err := c.explanation(cmd, &f, file, q)
		if err != nil {
			return err
		}
		return failed(c.writeExplanation(e, f.json))
	}
	return cmd
}

// request makes a request of the command line.
func (f *explainFlags) request(url string) (assemble.Request, error) {
	q := assemble.Request{Method: f.method, URL: url, Target: f.target, Listener: f.listener, Version: f.version}
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

// explanation is the running weir's where there is an admin address, else the file's.
func (c *cli) explanation(cmd *cobra.Command, f *explainFlags, file func() (string, error), q assemble.Request) (*assemble.Explanation, error) {
	switch {
	case f.admin == "":
		return c.explainFile(file, q)
	case cmd.Flags().Changed("config"):
		return nil, errors.New("--admin asks a running weir, which has its own configuration: leave out --config")
	}
	return explainLive(cmd.Context(), f.admin, q)
}

func (c *cli) explainFile(file func() (string, error), q assemble.Request) (*assemble.Explanation, error) {
	name, err := file()
	if err != nil {
		return nil, err
	}
	cfg, found := config.Load(name)
	if found.HasErrors() { // of warnings `weir check` speaks
		if err := found.Write(c.err, c.errColor); err != nil {
			return nil, failed(err)
		}
	}
	if cfg == nil {
		return nil, exit{code: exitConfig}
	}
	return assemble.Explain(cfg, q)
}

// explainLive asks the weir with that admin address.
func explainLive(ctx context.Context, address string, q assemble.Request) (*assemble.Explanation, error) {
	r := admin.ExplainRequest{Method: q.Method, URL: q.URL, Client: q.Client.String(), Listener: q.Listener, Target: q.Target, Version: q.Version, Header: http.Header{}}
	for _, f := range q.Header {
		r.Header.Add(f.Name, f.Value)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, failed(err)
	}
	status, text, err := askAdmin(ctx, address, "/explain", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var out struct {
		assemble.Explanation
		Error string `json:"error"`
	}
	switch err := json.Unmarshal(text, &out); {
	case err != nil:
		return nil, failed(fmt.Errorf("the admin address answers with status %d and %q", status, text))
	case out.Error != "":
		return nil, errors.New(out.Error)
	}
	return &out.Explanation, nil
}

func (c *cli) writeExplanation(e *assemble.Explanation, asJSON bool) error {
	if !asJSON {
		return e.Write(c.out, c.outColor)
	}
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}
