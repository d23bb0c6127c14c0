package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"weir/config"
)

const defaultAdmin = "127.0.0.1:9180"

func (c *cli) reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload [-c FILE | --admin ADDRESS | --pid PID]",
		Short: "Have a running weir read its configuration again",
		Long: `Asks a running weir, at its admin address, to read its configuration again, and says
what came of it. The address is that of the configuration file's admin block unless
--admin names another one. Where there is no admin address, --pid sends the process a
HUP, if it is weir; what comes of that stands in its log.

A reload that is refused changes nothing. Where single sites have errors, they stay as
they were, and everything else changes. The exit code is 1 in both cases, and 3 where
nobody answers.`,
		Example: `  weir reload
  weir reload --admin ops:secret@10.0.0.1:9180
  weir reload --admin unix:/run/weir/admin.sock
  weir reload --pid "$(cat /run/weir.pid)"`,
		Args: noArguments,
	}
	file := configFlag(cmd)
	address := cmd.Flags().String("admin", "", "admin `address` of the running weir, or unix:/path")
	pid := cmd.Flags().Int("pid", 0, "process `id` of the running weir, to be sent a HUP")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		named := 0
		for _, name := range []string{"admin", "pid", "config"} {
			if cmd.Flags().Changed(name) {
				named++
			}
		}
		switch {
		case named > 1:
			return errors.New("--admin, --pid and --config are three ways of naming one process: use one")
		case cmd.Flags().Changed("pid"):
			return hangUp(*pid)
		case *address == "":
			name, _ := file() // without one, the default is asked
			*address = adminOf(name)
		}
		return c.reload(cmd.Context(), *address)
	}
	return cmd
}

func hangUp(pid int) error {
	if pid <= 0 {
		return fmt.Errorf("--pid %d: not a process", pid)
	}
	if name, other := isOther(pid); other {
		return failed(fmt.Errorf("process %d is %q and not weir: a HUP might end it; if it is weir by another name, `kill -HUP %d`", pid, name, pid))
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return failed(fmt.Errorf("process %d: %w", pid, err))
	}
	return nil
}

// isOther reports whether a process, by its name, is another program than weir. Where nobody tells names, none is.
func isOther(pid int) (name string, other bool) {
	name, own := nameOf(strconv.Itoa(pid)), nameOf("self")
	return name, name != "" && name != own && !strings.HasPrefix(name, "weir")
}

func nameOf(process string) string {
	b, _ := os.ReadFile("/proc/" + process + "/comm")
	return strings.TrimSpace(string(b))
}

// adminOf is the admin address that a configuration names. It may be broken: what is running is not what is in the
// file now.
func adminOf(file string) string {
	cfg, _ := config.Load(file)
	switch {
	case cfg == nil || cfg.Admin == nil:
		return defaultAdmin
	case cfg.Admin.Socket != "": // asks for no password
		return "unix:" + cfg.Admin.Socket
	}
	return cfg.Admin.Listen
}

func (c *cli) reload(ctx context.Context, address string) error {
	status, text, err := askAdmin(ctx, address, "/reload", nil)
	if err != nil {
		return err
	}
	return c.report(status, text)
}

// A reloaded is what the admin address says of a reload.
type reloaded struct {
	Warnings []string `json:"warnings"`
	Partly   bool     `json:"partly"`
	Error    string   `json:"error"`
}

func (c *cli) report(status int, text []byte) error {
	var r reloaded
	if err := json.Unmarshal(text, &r); err != nil {
		return failed(fmt.Errorf("the admin address answers with status %d and %q", status, text))
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(c.err, w)
	}
	if r.Error != "" {
		fmt.Fprintln(c.err, r.Error)
		return exit{exitConfig, errors.New("the reload was refused; nothing has changed")}
	}
	if r.Partly {
		return exit{exitConfig, errors.New("reloaded, but for what has errors: that is as it was, or is not served")}
	}
	fmt.Fprintln(c.out, "reloaded")
	return nil
}
