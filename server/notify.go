package server

import (
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notify tells the service manager how weir is (sd_notify(3)). Where there is none, nothing happens.
type Notify struct{}

// Ready says that connections are accepted; status is a line for `systemctl status`.
func (Notify) Ready(status string) { notify(daemon.SdNotifyReady, "STATUS="+status) }

// Reloading says that a reload has begun; Ready ends it.
func (Notify) Reloading() {
	notify(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the end has begun.
func (Notify) Stopping(status string) { notify(daemon.SdNotifyStopping, "STATUS="+status) }

// Status changes the line for `systemctl status`.
func (Notify) Status(status string) { notify("STATUS=" + status) }

func notify(lines ...string) {
	text := ""
	for _, l := range lines {
		text += strings.TrimSuffix(l, "\n") + "\n"
	}
	daemon.SdNotify(false, text) // nobody to tell that it went wrong
}
