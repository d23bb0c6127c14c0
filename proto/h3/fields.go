package h3

import (
	"errors"

	"weir"
	"weir/proto/internal/section"
)

var errContent = errors.New("the content is not as long as Content-Length says")

// readSection has s take in what d has decoded: fields go to h, the rest into s. text is d's text as a string that lasts.
func readSection(s *section.Section, k section.Kind, d *sectionDecoder, text string, h *weir.Header) error {
	s.Begin(k)
	for i := range d.lines {
		l := &d.lines[i]
		if err := note(s, l, text[l.name:l.sep], text[l.sep+2:l.end], h); err != nil {
			return err
		}
	}
	return s.Settle(h)
}

func note(s *section.Section, l *line, name, value string, h *weir.Header) error {
	if section.IsPseudo(name) {
		return s.Pseudo(name, value)
	}
	id := weir.FieldOther
	if l.static >= 0 {
		id = staticTable[l.static].id
	} else {
		id = weir.Identify(name)
	}
	kept, err := s.Field(id, name, value)
	if kept {
		h.AddField(weir.Field{Name: name, Value: value, ID: id, Wire: true, Line: value != ""})
	}
	return err
}
