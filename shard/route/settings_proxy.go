package route

import "strings"

// UserAgent is the header User-Agent of requests that are made here, without CRLF.
func (s *Settings) UserAgent() string {
	if s.Core.UserAgentHeader == "" {
		return "User-Agent: Viaduct"
	}
	return strings.TrimRight(s.Core.UserAgentHeader, "\r\n")
}
