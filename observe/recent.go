package observe

import (
	"time"

	"weir"
)

// Recent keeps the last exchanges that failed: those with a fault, and those answered with 5xx. The
// client's faults and the others have 100 places each, so that a flood of bad requests hides nothing.
// An exchange that went well costs two comparisons.
type Recent struct{}

// A Failure is an exchange that failed.
type Failure struct {
	Time     time.Time `json:"time"`
	Client   string    `json:"client"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"`
	Status   int       `json:"status"`
	Site     string    `json:"site,omitempty"`
	Route    string    `json:"route,omitempty"`
	Upstream string    `json:"upstream,omitempty"`
	Server   string    `json:"server,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	Outcome  string    `json:"outcome"`
	Side     string    `json:"side"`
	Error    string    `json:"error,omitempty"`
	Meaning  string    `json:"meaning"`
	Remedy   string    `json:"remedy"`
	Note     string    `json:"note,omitempty"`
	ID       string    `json:"id,omitempty"`
}

// NewRecent returns an empty one.
func NewRecent() *Recent { return &Recent{} }

// Observe implements [weir.Observer].
func (r *Recent) Observe(x *weir.Exchange) {}

// Failures returns the failures that are kept, the newest first.
func (r *Recent) Failures() []Failure { return nil }
