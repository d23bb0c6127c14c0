package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"weir"
)

func (c *cli) causeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cause [CODE]",
		Short: "Say what a cause code means and what to do about it",
		Long: `Every exchange that does not go as it should has a cause code: in the access log, as
a metric label, in /status. This lists them, or explains one.`,
		Example: `  weir cause
  weir cause upstream.connect_refused`,
		Args:              oneArgument("a cause code", false),
		ValidArgsFunction: completeCauses,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.listCauses()
			}
			return c.explainCause(args[0])
		},
	}
}

func completeCauses(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, cause := range weir.Causes() {
		if len(args) == 0 {
			out = append(out, cause.String()+"\t"+cause.Meaning())
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func (c *cli) listCauses() error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CODE\tSTATUS\tSIDE\tMEANING")
	for _, cause := range weir.Causes() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", cause, status(cause), cause.Side(), cause.Meaning())
	}
	return w.Flush()
}

// status is what the client sees; "-" where it sees nothing.
func status(c weir.Cause) string {
	if s := c.Status(); s > 0 {
		return fmt.Sprint(s)
	}
	return "-"
}

func (c *cli) explainCause(code string) error {
	for _, cause := range weir.Causes() {
		if cause.String() == code {
			fmt.Fprintf(c.out, "%s\n  meaning  %s\n  side     %s\n  status   %s\n  remedy   %s\n",
				cause, cause.Meaning(), cause.Side(), status(cause), cause.Remedy())
			return nil
		}
	}
	if nearest := nearestCause(code); nearest != weir.CauseNone {
		return fmt.Errorf("cause %q is not known: did you mean %q?", code, nearest)
	}
	return fmt.Errorf("cause %q is not known; `weir cause` lists them all", code)
}

// nearestCause returns the cause whose code, with or without its side, is most like code; CauseNone where none is.
func nearestCause(code string) weir.Cause {
	nearest, distance := weir.CauseNone, max(2, len(code)/3)+1
	for _, cause := range weir.Causes() {
		_, short, _ := strings.Cut(cause.String(), ".")
		for _, name := range []string{cause.String(), short} {
			if d := levenshtein.Distance(code, name, nil); d < distance {
				nearest, distance = cause, d
			}
		}
	}
	return nearest
}
