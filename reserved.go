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

// Absent returns why Request.Header never holds a field of that name, so that asking for it is a mistake, and
// "" where it may: a protocol keeps these to itself, or puts what they say into another part of Request.
func (id FieldID) Absent() string {
	switch id {
	case FieldTrailer:
		return ""
	case FieldProxyAuthorization:
		return "it is for the proxy alone, and weir asks nobody for it"
	case FieldHost:
		return "the host is no field here"
	}
	return id.Reserved()
}
