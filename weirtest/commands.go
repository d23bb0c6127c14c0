package weirtest

import (
	"strconv"
	"time"
)

// A command carries out a step.
type command func(st *stage, step *Step) error

// commands are all steps there are. It is filled in by commandTable, because commands may look steps up.
var commands = commandTable()

func commandTable() map[string]command {
	return map[string]command{
		"origin": (*stage).origin, "server": (*stage).server, "nginx": (*stage).nginx,
		"weir": (*stage).start, "client": (*stage).client,
		"authority": (*stage).authority, "certificate": (*stage).certificate,

		">": (*stage).send, ">>": (*stage).send, "flush": (*stage).nothing, "chunk": (*stage).chunk, "file": (*stage).sendFile,
		"<": (*stage).expectHead, "<<": (*stage).expectBytes, "body": (*stage).expectBody,
		"body-ends": (*stage).expectCut, "trailer": (*stage).expectTrailer, "closed": (*stage).expectEnd, "find": (*stage).find,
		"close": (*stage).close, "half-close": (*stage).halfClose, "abort": (*stage).abort,
		"accept": (*stage).accept, "idle": (*stage).idle,

		"$": (*stage).shell, "tally": (*stage).tally, "load": (*stage).load, "unload": (*stage).unload,
		"patience": (*stage).wait, timed: (*stage).nothing, "kept": (*stage).kept, "answers": (*stage).answers, "reload": (*stage).reload, "signal": (*stage).signal, "stopped": (*stage).stopped,
		"kill": (*stage).kill, "revive": (*stage).revive,
		"sick": (*stage).sick, "well": (*stage).well, "saw": (*stage).saw,
	}
}

func (st *stage) nothing(*Step) error { return nil }

// wait has the script be more patient from here on.
func (st *stage) wait(step *Step) error {
	n, err := strconv.Atoi(step.Text)
	st.patience = time.Duration(n) * time.Second
	return err
}
