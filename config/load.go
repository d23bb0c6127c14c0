package config

// Load reads the file and all that it includes. A name that ends in .json is read as JSON. The Config
// is nil where nothing of it can be used; where it is not and the diagnostics have errors, it can be
// started in part.
func Load(path string) (*Config, Diagnostics) { return nil, nil }

// Parse is Load with the text of the main file at hand; includes are read relative to its name.
func Parse(name string, src []byte) (*Config, Diagnostics) { return nil, nil }
