package route

import "strings"

// UserAgent returns the header User-Agent of requests made here, without CRLF.
func (s *Settings) UserAgent() string {
	switch {
	case !s.Core.ServerSignature:
		return ""
	case s.Core.UserAgentHeader == "":
		return "User-Agent: Viaduct"
	}
	return strings.TrimRight(s.Core.UserAgentHeader, "\r\n")
}
