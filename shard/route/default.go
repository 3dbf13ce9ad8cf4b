package route

import _ "embed"

//go:embed default.cfg
var defaultConfig []byte

// Default returns the configuration that Viaduct runs without -f. It answers OPTIONS to itself,
// balances calls over ./dispatcher.list by Call-ID if there is one, and relays nothing for
// strangers. The caller must not change it.
func Default() []byte { return defaultConfig[:len(defaultConfig):len(defaultConfig)] }
