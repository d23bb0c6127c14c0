package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const systemConfig = "/etc/weir/weir.hcl"

// defaultConfig is the configuration file where none is named.
func defaultConfig() (string, error) {
	names := []string{"weir.hcl", "weir.json", systemConfig}
	for _, name := range names {
		if _, err := os.Stat(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
	}
	return "", exit{exitConfig, fmt.Errorf("no configuration is named, and there is none of %s", strings.Join(names, ", "))}
}

// configFlag adds -c to cmd; where says its value, to be asked when the command runs.
func configFlag(cmd *cobra.Command) (where func() (string, error)) {
	name := cmd.Flags().StringP("config", "c", "", "configuration `file` (default weir.hcl or weir.json here, else "+systemConfig+")")
	_ = cmd.MarkFlagFilename("config", "hcl", "json") // fails only for a flag that does not exist
	return func() (string, error) {
		if *name == "" {
			return defaultConfig()
		}
		return *name, nil
	}
}

// noArguments is for commands that take flags alone.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("argument %q is one too many", args[0])
	}
	return nil
}

// oneArgument is for commands that take one argument, or at most one.
func oneArgument(what string, needed bool) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && needed:
			return fmt.Errorf("%s is missing", what)
		case len(args) > 1:
			return fmt.Errorf("argument %q is one too many", args[1])
		}
		return nil
	}
}
