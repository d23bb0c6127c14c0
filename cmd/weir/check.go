package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"weir/assemble"
	"weir/config"
)

func (c *cli) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Find every error in a configuration, and run its tests",
		Long: `Reads a configuration and all that it includes, and reports every error and warning at
once: what cannot be read, what is not known, routes that match alike or can never
match, what is not used or has no effect, and expect blocks that do not hold. Of a
site with an error the rest is looked at, too. Nothing is started, no address is
opened, no name is looked up.

Of very many findings the first are written, and how many more there are. Exit code 1
where there is an error; warnings alone are 0.`,
		Example: `  weir check
  weir check --format json weir.hcl`,
		Args:              oneArgument("a file", false),
		ValidArgsFunction: completeConfigs,
	}
	format := cmd.Flags().String("format", "text", "how to report: `text` or json")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		switch *format {
		case "text":
			return c.check(args, c.checkText)
		case "json":
			return c.check(args, c.checkJSON)
		}
		return fmt.Errorf("format %q is not known: write text or json", *format)
	}
	return cmd
}

func completeConfigs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"hcl", "json"}, cobra.ShellCompDirectiveFilterFileExt
}

type reporter func(file string, cfg *config.Config, found config.Diagnostics) error

func (c *cli) check(args []string, report reporter) error {
	file, err := defaultConfig()
	if len(args) > 0 {
		file, err = args[0], nil
	}
	if err != nil {
		return err
	}
	cfg, found := config.Inspect(file)
	if cfg != nil {
		found = cfg.Sorted(append(found, assemble.Check(cfg)...))
	}
	if err := report(file, cfg, found); err != nil {
		return failed(err)
	}
	if found.HasErrors() {
		return exit{code: exitConfig}
	}
	return nil
}

func (c *cli) checkText(file string, cfg *config.Config, found config.Diagnostics) error {
	if err := found.Write(c.err, c.errColor); err != nil {
		return err
	}
	errors, warnings := count(found)
	if errors > 0 {
		_, err := fmt.Fprintf(c.err, "%s: %s, %s\n", file, plural(errors, "error"), plural(warnings, "warning"))
		return err
	}
	return summary(c.out, file, cfg, warnings)
}

// summary says what there is in a configuration without errors.
func summary(w io.Writer, file string, cfg *config.Config, warnings int) error {
	routes, expects := 0, 0
	for _, s := range cfg.Sites {
		routes += len(s.Routes)
		expects += len(s.Expects)
	}
	text := fmt.Sprintf("%s: ok (%s, %s, %s, %s", file, plural(len(cfg.Listeners), "listener"),
		plural(len(cfg.Upstreams), "upstream"), plural(len(cfg.Sites), "site"), plural(routes, "route"))
	if expects > 0 {
		text += ", " + plural(expects, "test") + " passed"
	}
	if warnings > 0 {
		text += ", " + plural(warnings, "warning")
	}
	_, err := fmt.Fprintln(w, text+")")
	return err
}

func count(found config.Diagnostics) (errors, warnings int) {
	for _, d := range found {
		switch d.Severity {
		case config.Error:
			errors++
		case config.Warning:
			warnings++
		}
	}
	return errors, warnings
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A finding is a diagnostic as `check --format json` writes it.
type finding struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Source   string `json:"source,omitempty"`
}

func findings(found config.Diagnostics) []finding {
	out := []finding{}
	for _, d := range found {
		out = append(out, finding{
			d.Severity.String(), d.Pos.File, d.Pos.Line, d.Pos.Column, d.Summary, d.Detail, d.Hint, d.Line,
		})
	}
	return out
}

func (c *cli) checkJSON(file string, _ *config.Config, found config.Diagnostics) error {
	enc := json.NewEncoder(c.out)
	enc.SetIndent("", "  ")
	first, moreErrors, moreOthers := found.First()
	out := map[string]any{"file": file, "ok": !found.HasErrors(), "diagnostics": findings(first)}
	if moreErrors+moreOthers > 0 {
		out["more_errors"], out["more_warnings"] = moreErrors, moreOthers
	}
	return enc.Encode(out)
}
