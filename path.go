package weir

// Normalize returns the path in its one normal form, and whether it is fit to be routed.
func Normalize(path string) (string, bool) { return path, len(path) > 0 && path[0] == '/' }
