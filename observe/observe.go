// Package observe records what became of exchanges: access logs, metrics, the last failures. Its
// observers implement [weir.Observer]; the data plane knows only that interface and never waits for
// any of them.
//
// Every exchange ends with one outcome, "ok" or the code of its cause. It is the same word in the
// access log, as a metric label, in /status and on the dashboard, and doc/causes.md explains each.
package observe

import "weir"

// OutcomeOK is the outcome of an exchange that went as it should, whatever its status.
const OutcomeOK = "ok"

// Outcome returns how an exchange ended: OutcomeOK, or the code of its cause.
func Outcome(x *weir.Exchange) string {
	if x.Fault == nil || x.Fault.Cause == weir.CauseNone {
		return OutcomeOK
	}
	return x.Fault.Cause.String()
}
