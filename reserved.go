package weir

// Reserved returns why neither the configuration nor a feature may set a field of that name, and "" where they
// may: a protocol makes these fields itself, and leaves out what else is written there.
func (id FieldID) Reserved() string {
	switch id {
	case FieldConnection, FieldKeepAlive, FieldProxyConnection, FieldTE, FieldUpgrade, FieldHTTP2Settings, FieldExpect:
		return "it concerns one connection only"
	case FieldContentLength, FieldTransferEncoding, FieldTrailer:
		return "it tells where a message ends"
	case FieldHost:
		return "the host has a setting of its own"
	}
	return ""
}
