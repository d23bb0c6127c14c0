package config

import (
	"bytes"
	stdjson "encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns the text in its canonical form: two blanks for each level, the values of neighbouring
// attributes and their comments in one column, no blank line more than one, none at the ends of blocks.
// Comments and the order stay; what is canonical already is returned as it is. Text that cannot be parsed
// is refused with the diagnostics. A name that ends in .json is formatted as JSON.
func Format(name string, src []byte) ([]byte, Diagnostics) {
	l := newLoader()
	l.sources[name] = src
	_, diags := parse(name, src)
	l.foreign(diags)
	if said := l.flush(); said.HasErrors() {
		return nil, said
	}
	if isJSON(name) {
		return formatJSON(src), nil
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	// Aligning a comment may show that its neighbour is to be aligned, too: what comes out is put in
	// again until it stays, which is the second time but for such.
	for range 4 {
		next := squeeze(hclwrite.Format(src))
		if bytes.Equal(next, src) {
			break
		}
		src = next
	}
	return src, nil
}

func formatJSON(src []byte) []byte {
	var b bytes.Buffer
	if err := stdjson.Indent(&b, bytes.TrimSpace(src), "", "  "); err != nil {
		return src // HCL takes what encoding/json does not, such as a byte order mark
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// squeeze takes out blank lines that separate nothing: those that follow another one or begin or end a
// block or the file. Texts over several lines and comments stay as they are.
func squeeze(src []byte) []byte {
	lines := strings.Split(strings.TrimRight(string(src), "\n"), "\n")
	whole := wholeLines(src, len(lines))
	out := make([]string, 0, len(lines))
	for i, line := range lines {
		if !whole[i] && strings.TrimSpace(line) == "" {
			if len(out) == 0 || out[len(out)-1] == "" || opens(out[len(out)-1]) || i+1 < len(lines) && closes(lines[i+1]) {
				continue
			}
			line = ""
		}
		out = append(out, line)
	}
	if len(out) == 0 || len(out) == 1 && out[0] == "" {
		return nil
	}
	return []byte(strings.Join(out, "\n") + "\n")
}

func opens(line string) bool {
	return strings.HasSuffix(line, "{") && !strings.ContainsAny(line, "#") && !strings.Contains(line, "//")
}

func closes(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "}") }

// wholeLines tells of each line whether it is, but for its beginning, inside of a text or a comment.
func wholeLines(src []byte, n int) []bool {
	out := make([]bool, n+1)
	tokens, _ := hclsyntax.LexConfig(src, "", hcl.InitialPos)
	heredoc := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOHeredoc:
			heredoc = t.Range.Start.Line + 1
		case hclsyntax.TokenCHeredoc:
			mark(out, heredoc, t.Range.End.Line)
		case hclsyntax.TokenComment:
			mark(out, t.Range.Start.Line+1, t.Range.End.Line-1)
		}
	}
	return out
}

func mark(lines []bool, from, to int) {
	for i := from; i <= to && i-1 < len(lines); i++ {
		lines[i-1] = true
	}
}
