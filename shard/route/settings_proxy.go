package route

import (
	"strings"

	"viaduct/shard/proxy"
)

// Configure makes c do what the parameters say, but for SignRoutes, which needs a secret.
func (s *RRSettings) Configure(c *proxy.Config) {
	c.FullLR, c.AppendFromtag = s.EnableFullLR, s.AppendFromtag
	c.DoubleRR, c.AlwaysDoubleRR = s.EnableDoubleRR != 0, s.EnableDoubleRR == 2
	c.IgnoreSips, c.ForceSendSocket = s.IgnoreSips, s.ForceSendSocket
}

// UserAgent is the header User-Agent of requests that are made here, without CRLF.
func (s *Settings) UserAgent() string {
	if s.Core.UserAgentHeader == "" {
		return "User-Agent: Viaduct"
	}
	return strings.TrimRight(s.Core.UserAgentHeader, "\r\n")
}
