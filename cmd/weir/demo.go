package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/config"
	"weir/demo"
	"weir/internal/poll"
)

func (c *cli) demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a demonstration: three kinds of servers and a site before them",
		Long: `Starts small servers within this process (a shop in three copies, an API with slow and
failing endpoints, a stream of events and a WebSocket), a site in front of them and
the admin address, and prints what to open and what to try. A port that is taken is
replaced by a free one.`,
		Example: `  weir demo
  weir demo --listen 127.0.0.1:8000`,
		Args: noArguments,
	}
	site := cmd.Flags().String("listen", demo.DefaultSite, "`address` of the site")
	admin := cmd.Flags().String("admin", demo.DefaultAdmin, "`address` of dashboard and metrics")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.demo(cmd.Context(), demo.FreeAddress(*site), demo.FreeAddress(*admin))
	}
	return cmd
}

func (c *cli) demo(ctx context.Context, site, admin string) error {
	group, err := poll.NewGroup(1)
	if err != nil {
		return failed(err)
	}
	defer group.Close()
	world, err := demo.Start(group)
	if err != nil {
		return failed(err)
	}
	defer world.Close(context.WithoutCancel(ctx))
	folder, err := os.MkdirTemp("", "weir-demo-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "weir.hcl")
	if err := os.WriteFile(file, []byte(world.Config(site, admin)), 0o644); err != nil {
		return failed(err)
	}
	return c.serve(ctx, service{
		path:  file,
		load:  func() (*config.Config, config.Diagnostics) { return config.Load(file) },
		watch: true,
		ready: func(context.Context) { io.WriteString(c.out, demo.Guide(os.Args[0], site, admin, file)) },
	})
}
