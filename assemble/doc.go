// Package assemble makes a running proxy of a configuration: pools of its upstreams, chains of its routes,
// a router, and of all that a server.Snapshot. It is the one place that knows every feature (features.go).
//
// An [Engine] is such a proxy. A reload builds the next [generation] beside the current one, adopts what
// has not changed (pools with their connections and health, counters, open logs), and swaps; a refused one
// leaves no trace. What is broken is left out, site by site, and keeps its last good version where it has one.
package assemble
