package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"weir/config"
)

type fmtFlags struct{ write, check, diff bool }

func (c *cli) fmtCommand() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Put a configuration into its canonical form",
		Long: `Lines up attributes and indents blocks; comments stay. The result goes to standard
output; without a file, or with -, the text comes from standard input.`,
		Example: `  weir fmt -w weir.hcl sites/*.hcl
  weir fmt --check weir.hcl     # exit code 1 where it is not formatted
  weir fmt -d weir.hcl          # show what would change
  weir fmt < weir.hcl`,
		ValidArgsFunction: completeConfigs,
		RunE:              func(_ *cobra.Command, args []string) error { return c.format(f, args) },
	}
	cmd.Flags().BoolVarP(&f.write, "write", "w", false, "write the result to the file")
	cmd.Flags().BoolVar(&f.check, "check", false, "name the files that are not formatted, exit code 1 if there are any")
	cmd.Flags().BoolVarP(&f.diff, "diff", "d", false, "show what would change instead of the result")
	return cmd
}

// format formats each file, the others too where one is wrong; the exit code is that of the worst.
func (c *cli) format(f fmtFlags, files []string) error {
	if f.write && (f.check || f.diff) {
		return errors.New("--write changes files, --check and --diff do not: use one")
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	var worst error
	for _, file := range files {
		if err := c.formatFile(f, file); err != nil {
			worst = err
			var e exit
			if errors.As(err, &e) && e.err != nil {
				fmt.Fprintf(c.err, "weir: %v\n", e.err)
				worst = exit{code: e.code}
			}
		}
	}
	return worst
}

func (c *cli) formatFile(f fmtFlags, file string) error {
	name, src, err := c.readSource(file)
	if err != nil {
		return failed(err)
	}
	if f.write && file == "-" {
		return errors.New("standard input cannot be written to: name a file")
	}
	out, found := config.Format(name, src)
	if found.HasErrors() {
		if err := found.Write(c.err, c.errColor); err != nil {
			return failed(err)
		}
		return exit{code: exitConfig}
	}
	return c.deliver(f, name, src, out)
}

// deliver does with the result what the flags say.
func (c *cli) deliver(f fmtFlags, name string, src, out []byte) error {
	same := bytes.Equal(src, out)
	if f.diff && !same {
		io.WriteString(c.out, unifiedDiff(name, string(src), string(out)))
	}
	switch {
	case f.check && !same:
		if !f.diff {
			fmt.Fprintln(c.out, name)
		}
		return exit{code: exitConfig}
	case f.check, f.diff:
		return nil
	case f.write && same:
		return nil
	case f.write:
		return failed(replaceFile(name, out))
	}
	_, err := c.out.Write(out)
	return failed(err)
}

func (c *cli) readSource(file string) (name string, src []byte, err error) {
	if file == "-" {
		src, err = io.ReadAll(c.in)
		return "<standard input>", src, err
	}
	src, err = os.ReadFile(file)
	return file, src, err
}

// replaceFile changes a file's content at once, so that nobody, such as a watching weir, reads half of it. A link stays a
// link, and what root formats stays whose it was.
func replaceFile(name string, content []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	temp, err := writeLike(info, name, content)
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// writeLike writes a new file beside name, one that no pattern of include fits. It has the mode of other and, if weir is
// root, the owner.
func writeLike(other os.FileInfo, name string, content []byte) (temp string, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return "", err
	}
	defer f.Close()
	if s, ok := other.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		err = f.Chown(int(s.Uid), int(s.Gid))
	}
	if err == nil {
		err = f.Chmod(other.Mode().Perm())
	}
	if err == nil {
		_, err = f.Write(content)
	}
	return f.Name(), err
}
