package h2

import "weir"

func (s *stream) upgrade(x *weir.Exchange) error {
	x.Response.Upgrade.Close()
	return errAnswered
}
