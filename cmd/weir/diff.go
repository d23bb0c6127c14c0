package main

import (
	"fmt"
	"strings"
)

const diffContext = 3

// unifiedDiff returns what diff -u would say of a text before and after.
func unifiedDiff(name, before, after string) string {
	edits := lineEdits(strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n"))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s (formatted)\n", name, name)
	for i := 0; i < len(edits); {
		if edits[i].op == ' ' {
			i++
			continue
		}
		from := max(0, i-diffContext)
		end := hunkEnd(edits, i)
		writeHunk(&out, edits[from:end])
		i = end
	}
	return out.String()
}

// An edit is a line that stays (' '), goes ('-') or comes ('+').
type edit struct {
	op            byte
	line          string
	before, after int // numbers of the lines that stand there
}

// hunkEnd is the end of the hunk that begins with the change at i: where more lines stay than context is shown.
func hunkEnd(edits []edit, i int) int {
	last := i
	for ; i < len(edits) && i-last <= 2*diffContext; i++ {
		if edits[i].op != ' ' {
			last = i
		}
	}
	return min(len(edits), last+1+diffContext)
}

func writeHunk(out *strings.Builder, hunk []edit) {
	before, after := 0, 0
	for _, e := range hunk {
		if e.op != '+' {
			before++
		}
		if e.op != '-' {
			after++
		}
	}
	fmt.Fprintf(out, "@@ -%d,%d +%d,%d @@\n", hunk[0].before, before, hunk[0].after, after)
	for _, e := range hunk {
		out.WriteByte(e.op)
		out.WriteString(e.line)
		if !strings.HasSuffix(e.line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// lineEdits returns the shortest way from a to b, by the table of longest common subsequences: configuration
// files are short.
func lineEdits(a, b []string) []edit {
	a, b = dropEmpty(a), dropEmpty(b)
	common := make([][]int, len(a)+1) // [i][j]: length for a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []edit
	for i, j := 0, 0; i < len(a) || j < len(b); {
		at := edit{before: i + 1, after: j + 1}
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			at.op, at.line = ' ', a[i]
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			at.op, at.line = '-', a[i]
			i++
		default:
			at.op, at.line = '+', b[j]
			j++
		}
		out = append(out, at)
	}
	return out
}

// dropEmpty drops what SplitAfter leaves behind a last newline.
func dropEmpty(lines []string) []string {
	if n := len(lines); n > 0 && lines[n-1] == "" {
		return lines[:n-1]
	}
	return lines
}
