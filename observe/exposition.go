package observe

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// An exposition writes Prometheus's text format 0.0.4. All samples of a family stand together, below
// its HELP and TYPE; a sample that was written already is left out, because one double would make a
// scraper refuse all of them.
type exposition struct {
	w    *bufio.Writer
	buf  []byte
	name string
	seen map[string]bool // label sets of the family
	err  error
}

func newExposition(w io.Writer) *exposition { return &exposition{w: bufio.NewWriterSize(w, 32<<10)} }

// family begins a metric; kind is "counter", "gauge" or "histogram".
func (e *exposition) family(name, kind, help string) {
	e.name, e.seen = name, map[string]bool{}
	e.put("# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n")
}

// sample writes one value of the family; labels come from the function labels.
func (e *exposition) sample(labels string, v float64) {
	if e.seen[labels] {
		return
	}
	e.seen[labels] = true
	e.line("", labels, v)
}

// single is a family with one sample.
func (e *exposition) single(name, kind, help string, v float64) {
	e.family(name, kind, help)
	e.sample("", v)
}

// histogram writes the samples of t, its buckets cumulative as the format wants them.
func (e *exposition) histogram(labels string, t tally) {
	if e.seen[labels] {
		return
	}
	e.seen[labels] = true
	var total uint64
	for i, n := range t.buckets {
		total += n
		le := "+Inf"
		if i < len(bounds) {
			le = strconv.FormatFloat(seconds(bounds[i]), 'g', -1, 64)
		}
		e.line("_bucket", with(labels, "le", le), float64(total))
	}
	e.line("_sum", labels, seconds(t.sum))
	e.line("_count", labels, float64(total))
}

func (e *exposition) line(suffix, labels string, v float64) {
	e.put(e.name, suffix)
	if labels != "" {
		e.put("{", labels, "}")
	}
	e.buf = append(e.buf[:0], ' ')
	e.buf = strconv.AppendFloat(e.buf, v, 'g', -1, 64)
	e.buf = append(e.buf, '\n')
	_, err := e.w.Write(e.buf)
	e.note(err)
}

func (e *exposition) put(parts ...string) {
	for _, p := range parts {
		_, err := e.w.WriteString(p)
		e.note(err)
	}
}

func (e *exposition) note(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *exposition) flush() error {
	e.note(e.w.Flush())
	return e.err
}

// labels writes pairs of names and values as they stand between the braces.
func labels(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(pairs[i])
		b.WriteString(`="`)
		writeLabelValue(&b, pairs[i+1])
		b.WriteByte('"')
	}
	return b.String()
}

// with is labels and one more.
func with(base string, pair ...string) string {
	if base == "" {
		return labels(pair...)
	}
	return base + "," + labels(pair...)
}

// writeLabelValue writes v with backslash, quote and line feed escaped; what is not UTF-8 is replaced.
func writeLabelValue(b *strings.Builder, v string) {
	for _, r := range v {
		switch r {
		case '\\':
			b.WriteString(`\\`)
		case '"':
			b.WriteString(`\"`)
		case '\n':
			b.WriteString(`\n`)
		default:
			b.WriteRune(r)
		}
	}
}
