package ctl

import (
	"strings"
	"testing"

	"viaduct/shard/route"
)

// TestAddresses: the forms of the module's manual, and what is none.
func TestAddresses(t *testing.T) {
	for text, want := range map[string]route.ControlSocket{
		"unix:/run/kamailio/kamailio_ctl": {Network: "unix", Address: "/run/kamailio/kamailio_ctl"},
		"unixs:/tmp//unix_stream":         {Network: "unix", Address: "/tmp/unix_stream"},
		"unixd:/tmp/unix_dgram":           {Network: "unixgram", Address: "/tmp/unix_dgram"},
		"/tmp/unix_test":                  {Network: "unix", Address: "/tmp/unix_test"},
		"udp:localhost:2046":              {Network: "udp", Address: "localhost:2046"},
		"tcp:localhost:2046":              {Network: "tcp", Address: "localhost:2046"},
		"tcp:[::1]:2046":                  {Network: "tcp", Address: "[::1]:2046"},
		"localhost:3000":                  {Network: "udp", Address: "localhost:3000"},
		"tcp:3012":                        {Network: "tcp", Address: "0.0.0.0:3012"},
		"udp:*:3012":                      {Network: "udp", Address: "0.0.0.0:3012"},
	} {
		if s, err := read(text); err != nil || s != want {
			t.Errorf("%s is %v, %v; want %v", text, s, err, want)
		}
	}
	for text, want := range map[string]string{
		"unix:kamailio_ctl": "does not begin with /", "tcp:localhost": "write unix:PATH",
		"": "write unix:PATH", "udp:*:70000": "write unix:PATH", "sctp:*:1": "write unix:PATH",
	} {
		if s, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is %v, %v; want an error with %q", text, s, err, want)
		}
	}
}
