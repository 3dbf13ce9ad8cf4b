package route

import "strings"

// UserAgent is the header User-Agent of requests that are made here, without CRLF; "" if
// server_signature forbids it, as it does in Kamailio.
func (s *Settings) UserAgent() string {
	switch {
	case !s.Core.ServerSignature:
		return ""
	case s.Core.UserAgentHeader == "":
		return "User-Agent: Viaduct"
	}
	return strings.TrimRight(s.Core.UserAgentHeader, "\r\n")
}
