package clock

import (
	"sync/atomic"
	"time"
)

// A dateText is the present time as HTTP's Date field has it, made once a second.
type dateText struct {
	second int64
	text   string
}

var date atomic.Pointer[dateText]

// AppendDate appends the present time as HTTP's Date field has it (RFC 9110, section 5.6.7). It may be called
// concurrently.
func AppendDate(dst []byte) []byte {
	now := time.Now()
	d := date.Load()
	if d == nil || d.second != now.Unix() {
		d = &dateText{now.Unix(), now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}
		date.Store(d)
	}
	return append(dst, d.text...)
}
