package h3

import "strconv"

// AltSvc returns the value of an Alt-Svc field (RFC 7838) which tells clients of the other versions that HTTP/3 is
// spoken on a UDP port of the same host, for a day.
func AltSvc(port int) string {
	return Protocol + `=":` + strconv.Itoa(port) + `"; ma=86400`
}
