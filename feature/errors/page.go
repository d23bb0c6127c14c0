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
	p := &page{kind: kind}
	media, _, _ := strings.Cut(kind, ";")
	p.media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case isJSON(p.media):
		p.escape = appendJSON
	case p.media == "text/plain":
		p.escape = appendPlain
	default:
		p.escape = appendHTML
	}
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

func appendPlain(dst []byte, _, value string) []byte { return append(dst, value...) }

func appendHTML(dst []byte, _, value string) []byte {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '&':
			dst = append(dst, "&amp;"...)
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '"':
			dst = append(dst, "&#34;"...)
		case '\'':
			dst = append(dst, "&#39;"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendJSON appends value as a piece of a JSON string. It stays harmless inside HTML as well.
func appendJSON(dst []byte, _, value string) []byte {
	for _, r := range value { // what is no UTF-8 becomes U+FFFD
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7f || r == '<' || r == '>' || r == '&':
			dst = append(dst, `\u00`...)
			dst = syntax.AppendHex(dst, byte(r))
		default:
			dst = append(dst, string(r)...)
		}
	}
	return dst
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
