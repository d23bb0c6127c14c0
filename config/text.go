package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// What a file may be. The parser calls itself for whatever is nested, and a stack that is used up ends the process:
// what goes beyond these limits it never gets to see.
const (
	maxFile   = 16 << 20 // bytes
	maxTokens = 4 << 20  // names, numbers, signs
	maxDepth  = 200      // of brackets, templates and operators
)

// refuse says why a text is not parsed at all, however it is nested. It says one thing, whatever else is wrong.
func refuse(name string, src []byte) hcl.Diagnostics {
	say := func(i int, summary, detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: placeOf(name, src, i)}}
	}
	switch i := bytes.IndexByte(src, 0); {
	case len(src) > maxFile:
		return say(0, tooLarge, "")
	case bytes.HasPrefix(src, []byte("\xff\xfe")), bytes.HasPrefix(src, []byte("\xfe\xff")):
		return say(0, "the file is UTF-16", "save it as UTF-8")
	case i >= 0:
		return say(i, "the file holds a NUL byte", "a configuration is text in UTF-8")
	case !utf8.Valid(src):
		return say(invalid(src), "the file is not UTF-8", "a configuration is text in UTF-8")
	case tokens(src) > maxTokens:
		return say(0, fmt.Sprintf("the file holds more than %d names, numbers and signs", maxTokens), "")
	}
	return nil
}

// tooDeepIn refuses a text that is nested too deep.
func tooDeepIn(name string, src []byte) hcl.Diagnostics {
	if isJSON(name) {
		return jsonDepth(name, src)
	}
	return nativeDepth(name, src, hcl.InitialPos)
}

var tooLarge = fmt.Sprintf("the file is larger than %d MiB", maxFile>>20)

// placeOf is the place of a byte.
func placeOf(name string, src []byte, i int) *hcl.Range {
	start := bytes.LastIndexByte(src[:i], '\n') + 1
	p := hcl.Pos{Line: 1 + bytes.Count(src[:i], []byte("\n")), Column: 1 + utf8.RuneCount(src[start:i]), Byte: i}
	end := p
	end.Column++
	end.Byte = min(i+1, len(src))
	return &hcl.Range{Filename: name, Start: p, End: end}
}

// invalid is where a text stops to be UTF-8.
func invalid(src []byte) int {
	for i := 0; i < len(src); {
		c, n := utf8.DecodeRune(src[i:])
		if c == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return 0
}

// tokens is how many tokens there are at most.
func tokens(src []byte) int {
	n, word := 0, false
	for _, c := range src {
		letter := c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		switch {
		case letter && word, c == ' ', c == '\t', c == '\r', c >= 0x80 && c < 0xC0:
		default:
			n++
		}
		word = letter
	}
	return n
}

// tooDeep is said of the place where it gets too deep.
func tooDeep(at hcl.Range) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Subject: &at,
		Summary: fmt.Sprintf("nested deeper than %d", maxDepth), Detail: "brackets, blocks, templates and operators count",
	}}
}

// nativeDepth is tooDeepIn for a text in native syntax that begins at start.
func nativeDepth(name string, src []byte, start hcl.Pos) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, name, start)
	return depthOf(tokens)
}

// A level is something that is open.
type level struct {
	kind  hclsyntax.TokenType
	chain int  // operators in the expression at hand, and conditions that are open in a template
	whole bool // ends of lines end nothing
}

// A nesting is what is open, from the outside to the inside; the first level is the file.
type nesting struct {
	levels []level
	depth  int // levels and chains
}

func (n *nesting) top() *level { return &n.levels[len(n.levels)-1] }

func (n *nesting) push(kind hclsyntax.TokenType, whole bool) {
	n.levels = append(n.levels, level{kind: kind, whole: whole})
	n.depth++
}

// pop closes the innermost level that is of one of these kinds, and what was left open in it. Where there is none it
// does nothing.
func (n *nesting) pop(kinds ...hclsyntax.TokenType) {
	for i := len(n.levels) - 1; i > 0; i-- {
		if !slices.Contains(kinds, n.levels[i].kind) {
			continue
		}
		for _, l := range n.levels[i:] {
			n.depth -= 1 + l.chain
		}
		n.levels = n.levels[:i]
		return
	}
}

// chain adds to what the expression at hand is nested by operators.
func (n *nesting) chain(by int) {
	t := n.top()
	by = max(by, -t.chain)
	t.chain += by
	n.depth += by
}

// end is the end of an expression.
func (n *nesting) end() { n.chain(-n.top().chain) }

// depthOf refuses tokens that are nested too deep. It counts rather too much than too little: the operators of one
// expression are taken to be nested in one another.
func depthOf(tokens hclsyntax.Tokens) hcl.Diagnostics {
	n := &nesting{levels: []level{{}}}
	last := hclsyntax.TokenNil
	for _, t := range tokens {
		n.take(t, last)
		if n.depth > maxDepth {
			return tooDeep(t.Range)
		}
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			last = t.Type
		}
	}
	return nil
}

// take counts one token; last is the one before.
func (n *nesting) take(t hclsyntax.Token, last hclsyntax.TokenType) {
	switch t.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
		n.push(t.Type, false)
	case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		n.push(t.Type, true)
	case hclsyntax.TokenCBrace:
		n.pop(hclsyntax.TokenOBrace)
	case hclsyntax.TokenCQuote:
		n.pop(hclsyntax.TokenOQuote)
	case hclsyntax.TokenCHeredoc:
		n.pop(hclsyntax.TokenOHeredoc)
	case hclsyntax.TokenTemplateSeqEnd:
		n.pop(hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl)
	case hclsyntax.TokenCBrack:
		n.pop(hclsyntax.TokenOBrack)
		n.chain(1)
	case hclsyntax.TokenCParen:
		n.pop(hclsyntax.TokenOParen)
		n.chain(1)
	case hclsyntax.TokenIdent:
		n.word(string(t.Bytes), last)
	case hclsyntax.TokenComma:
		n.end()
	case hclsyntax.TokenNewline, hclsyntax.TokenComment:
		if !n.top().whole && bytes.HasSuffix(t.Bytes, []byte("\n")) {
			n.end()
		}
	default:
		if isOperator(t.Type) {
			n.chain(1)
		}
	}
}

// isOperator reports whether the parser may call itself, or what evaluates, for this sign.
func isOperator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang,
		hclsyntax.TokenQuestion, hclsyntax.TokenColon, hclsyntax.TokenDoubleColon, hclsyntax.TokenFatArrow:
		return true
	}
	return false
}

// word counts what begins or ends something by its name.
func (n *nesting) word(name string, last hclsyntax.TokenType) {
	switch {
	case last == hclsyntax.TokenOBrace && name == "for":
		n.top().whole = true
	case last == hclsyntax.TokenTemplateControl && n.top().kind == last:
		by := map[string]int{"if": 1, "for": 1, "endif": -1, "endfor": -1}[name]
		text := &n.levels[len(n.levels)-2]
		by = max(by, -text.chain)
		text.chain += by
		n.depth += by
	}
}

// jsonDepth refuses JSON that is nested too deep, or a text in it whose template is.
func jsonDepth(name string, src []byte) hcl.Diagnostics {
	n := &nesting{levels: []level{{}}}
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '{':
			n.push(hclsyntax.TokenOBrace, true)
		case '[':
			n.push(hclsyntax.TokenOBrack, true)
		case '}':
			n.pop(hclsyntax.TokenOBrace)
		case ']':
			n.pop(hclsyntax.TokenOBrack)
		case '"':
			end := jsonText(src, i)
			if templateTooDeep(src[i:end]) {
				return tooDeep(*placeOf(name, src, i))
			}
			i = end - 1
		}
		if n.depth > maxDepth {
			return tooDeep(*placeOf(name, src, i))
		}
	}
	return nil
}

// jsonText is where the text that begins at from ends, as the parser sees it.
func jsonText(src []byte, from int) int {
	for i := from + 1; i < len(src); i++ {
		switch c := src[i]; {
		case c == '\\' && i+1 < len(src) && src[i+1] >= ' ':
			i++
		case c == '"':
			return i + 1
		case c < ' ':
			return i
		}
	}
	return len(src)
}

func templateTooDeep(quoted []byte) bool {
	if len(quoted) <= maxDepth {
		return false
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return false // the parser refuses it, too
	}
	tokens, _ := hclsyntax.LexTemplate([]byte(text), "", hcl.InitialPos)
	return depthOf(tokens) != nil
}
