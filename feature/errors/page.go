package errors

import (
	"slices"
	"strings"

	"weir"
	"weir/internal/syntax"
)

// A page is a text with placeholders, made ready.
type page struct {
	kind   string // content type
	media  string // without parameters, in lower case
	parts  []part
	escape func(dst []byte, _, value string) []byte
}

// A part is a piece of text, a placeholder, or the phrase of the status.
type part struct {
	text   string
	value  *weir.Template // nil: text, or the phrase
	phrase bool
}

func compile(text, kind string) *page {
	p := &page{kind: kind, media: syntax.Media(kind), escape: syntax.TextEscape(kind)}
	for text != "" {
		from := placeholder(text)
		p.parts = append(p.parts, part{text: text[:from]})
		if from == len(text) {
			break
		}
		end := from + strings.IndexByte(text[from:], '}') + 1
		p.parts = append(p.parts, newPart(text[from:end]))
		text = text[end:]
	}
	return p
}

const phrase = "{status.text}"

func newPart(s string) part {
	if s == phrase {
		return part{phrase: true}
	}
	t, err := weir.ParseTemplate(s)
	if err != nil {
		return part{text: s}
	}
	return part{value: t}
}

// placeholder returns where the first placeholder of text begins, or len(text).
func placeholder(text string) int {
	for from := 0; ; from++ {
		brace := strings.IndexByte(text[from:], '{')
		if brace < 0 {
			return len(text)
		}
		from += brace
		if end := strings.IndexByte(text[from:], '}'); end >= 0 && isPlaceholder(text[from:from+end+1]) {
			return from
		}
	}
}

func isPlaceholder(s string) bool {
	return s == phrase || slices.ContainsFunc(weir.Placeholders(), func(p weir.Placeholder) bool {
		return len(s) == len(p.Name)+2 && s[1:len(s)-1] == p.Name && !strings.HasSuffix(p.Name, ".NAME")
	})
}

// render returns the page for x, whose status is known.
func (p *page) render(x *weir.Exchange) string {
	if len(p.parts) == 1 {
		return p.parts[0].text
	}
	out := x.Scratch[:0]
	for i := range p.parts {
		switch part := &p.parts[i]; {
		case part.value != nil:
			out = part.value.AppendEscaped(out, x, p.escape)
		case part.phrase:
			out = append(out, weir.StatusText(x.Response.Status)...)
		default:
			out = append(out, part.text...)
		}
	}
	x.Scratch = out
	return string(out)
}
