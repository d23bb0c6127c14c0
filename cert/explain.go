package cert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"

	"github.com/mholt/acmez/v3/acme"
)

// A step is a part of the way to a certificate, as it is told to people.
type step string

const (
	stepAllow     step = "asking the rule for names on demand"
	stepChallenge step = "choosing a challenge"
	stepResolve   step = "looking the name up"
	stepCAA       step = "looking at its CAA records"
	stepLedger    step = "counting orders"
	stepConnect   step = "reaching the CA"
	stepAccount   step = "the account at the CA"
	stepOrder     step = "ordering"
	stepPresent   step = "preparing the answer"
	stepRecord    step = "setting the TXT record"
	stepValidate  step = "validation by the CA"
	stepLimit     step = "the CA's limits"
	stepKeep      step = "keeping the certificate"
)

// A failure is why there is no new certificate: the step that failed, at which CA, in plain words.
type failure struct {
	ca   string // "" before any was asked
	step step
	text string
	err  error
}

// Error is the failure in one line.
func (f *failure) Error() string {
	if f.ca == "" {
		return fmt.Sprintf("%s: %s", f.step, f.text)
	}
	return fmt.Sprintf("%s: %s: %s", f.ca, f.step, f.text)
}

func (f *failure) Unwrap() error { return f.err }

// fail makes a failure of what went wrong at a step.
func (a *attempt) fail(ca CA, at step, err error) *failure {
	f := &failure{step: at, text: err.Error(), err: err}
	if ca.Directory != "" {
		f.ca = ca.String()
	}
	var p acme.Problem
	switch {
	case errors.As(err, &p):
		f.explainProblem(a, p)
	case at == stepKeep:
		f.text = explainDisk(err)
	case isNetwork(err) && at != stepRecord && at != stepResolve && at != stepCAA:
		f.step = stepConnect
		f.text = a.s.asked(err, explainNetwork(err))
	}
	return f
}

// explainProblem puts what a CA says into words that say what to do.
func (f *failure) explainProblem(a *attempt, p acme.Problem) {
	kind := strings.TrimPrefix(p.Type, acme.ProblemTypeNamespace)
	detail := p.Detail
	for _, sub := range p.Subproblems {
		detail += "; " + sub.Detail
	}
	if words, ok := f.words(a, kind); ok {
		f.step = words.step
		record := "_acme-challenge." + strings.TrimPrefix(a.name, "*.")
		f.text = strings.NewReplacer("RECORD", record, "NAME", a.name).Replace(words.text) + ": " + detail
	} else {
		f.text = fmt.Sprintf("the CA says %s (%s)", detail, kind)
	}
	if f.step == stepValidate && a.hint != "" {
		f.text += "; " + a.hint
	}
}

// words are those for an error of a kind. Two kinds mean something else where nobody has looked at the name yet, and where
// what is looked at is a TXT record.
func (f *failure) words(a *attempt, kind string) (problem, bool) {
	answer := kind == "unauthorized" || kind == "incorrectResponse"
	switch {
	case answer && (f.step == stepAccount || f.step == stepOrder):
		return accountRefused, true
	case answer && a.kind == DNS01:
		return otherRecord, true
	}
	words, ok := problemWords[kind]
	return words, ok
}

// A problem is what an error of a CA's means: the step that failed, and words for it.
type problem struct {
	step step
	text string
}

var (
	accountRefused = problem{stepAccount, "the CA does not take weir's account; see id and key of eab in the acme block, if there is one"}
	otherRecord    = problem{stepValidate, "the CA found another TXT record than weir's at RECORD; see whether all name servers of the zone have the same"}
)

// problemWords are the errors of RFC 8555 6.7.
var problemWords = map[string]problem{
	"connection":              {stepValidate, "the CA could not connect to NAME; see whether its address is that of this machine and whether the port is open to everybody"},
	"dns":                     {stepValidate, "the CA could not look NAME up"},
	"unauthorized":            {stepValidate, "the CA got another answer than weir's; NAME leads to another machine, or something stands before weir"},
	"incorrectResponse":       {stepValidate, "the CA got another answer than weir's; NAME leads to another machine, or something stands before weir"},
	"tls":                     {stepValidate, "the CA could not speak TLS with NAME"},
	"caa":                     {stepCAA, "the CAA records of NAME do not let this CA issue"},
	"rateLimited":             {stepLimit, "the CA's limit is reached"},
	"rejectedIdentifier":      {stepOrder, "the CA does not issue for NAME"},
	"unsupportedIdentifier":   {stepOrder, "the CA does not issue for names of this kind"},
	"externalAccountRequired": {stepAccount, "the CA wants an account that is bound to one with itself: set eab in the acme block"},
	"accountDoesNotExist":     {stepAccount, "the CA does not know weir's account any more; another one is made with the next attempt"},
	"invalidContact":          {stepAccount, "the CA does not take the e-mail address"},
	"unsupportedContact":      {stepAccount, "the CA does not take the e-mail address"},
	"userActionRequired":      {stepAccount, "the CA wants something done by hand"},
	"serverInternal":          {stepConnect, "the CA has trouble of its own"},
}

func isNetwork(err error) bool {
	var n net.Error
	var u *url.Error
	return errors.As(err, &n) || errors.As(err, &u) || errors.Is(err, context.DeadlineExceeded)
}

func explainNetwork(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return "it cannot be asked: " + u.Err.Error()
	}
	return "it cannot be asked: " + err.Error()
}

func explainDisk(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Sprintf("%s cannot be written: %v", p.Path, p.Err)
	}
	return err.Error()
}

// firstStep is the step of the first failure in err, for lists.
func firstStep(err error) string {
	var f *failure
	var d *deferral
	switch {
	case errors.As(err, &f):
		return string(f.step)
	case errors.As(err, &d):
		return string(stepLedger)
	}
	return ""
}
