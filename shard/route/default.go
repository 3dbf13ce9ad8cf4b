package route

import _ "embed"

//go:embed default.cfg
var defaultConfig []byte

// Default is the configuration Viaduct runs without -f: OPTIONS to itself answered, calls balanced
// over ./dispatcher.list by Call-ID if there is one, nothing relayed for strangers. The caller must
// not change it.
func Default() []byte { return defaultConfig[:len(defaultConfig):len(defaultConfig)] }
