package parser

import (
	"net/netip"
	"strconv"
	"strings"
)

// The plain reader of the fields; see plain_test.go.

type plainViaValue struct {
	transport, host, branch, received, maddr string
	port, rport, ttl                         int
	hasRPort                                 bool
}

func plainParseVia(s string) (v plainViaValue, ok bool) {
	f := plainVia.FindStringSubmatch(s)
	if f == nil {
		return v, false
	}
	v.transport, v.host = f[1], f[2]
	if !plainIsHost(v.host) {
		return v, false
	}
	if f[3] != "" {
		n, err := strconv.ParseUint(f[3], 10, 16)
		if err != nil || n == 0 {
			return v, false
		}
		v.port = int(n)
	}
	p, doubled := plainParams(f[4])
	for _, name := range []string{"branch", "received", "maddr", "rport"} {
		value, has := p[name]
		if doubled[name] || has && value == "" && name != "rport" {
			return v, false
		}
	}
	v.branch, v.received, v.maddr = p["branch"], p["received"], p["maddr"]
	rport, has := p["rport"]
	if v.hasRPort = has; rport != "" {
		n, err := strconv.ParseUint(rport, 10, 16)
		if err != nil || n == 0 || !plainDigits.MatchString(rport) {
			return v, false
		}
		v.rport = int(n)
	}
	for _, q := range plainOneParam.FindAllStringSubmatch(f[4], -1) {
		if strings.EqualFold(q[1], "ttl") {
			n, err := strconv.ParseUint(q[2], 10, 8)
			if err == nil && plainDigits.MatchString(q[2]) {
				v.ttl = int(n)
			}
		}
	}
	return v, true
}

func plainIsHost(h string) bool {
	if !plainHost.MatchString(h) {
		return false
	}
	if h[0] != '[' {
		return true
	}
	ip, err := netip.ParseAddr(h[1 : len(h)-1])
	return err == nil && ip.Is6() && ip.Zone() == ""
}

type plainNameAddrValue struct {
	display, uri, tag string
	bracket           bool
}

func plainParseNameAddr(s string) (a plainNameAddrValue, ok bool) {
	var params string
	if f := plainBracketed.FindStringSubmatch(s); f != nil {
		if plainListed.MatchString(f[1]) {
			return a, false
		}
		_, e := plainTrim([]byte(f[1]), 0, len(f[1]))
		a = plainNameAddrValue{display: f[1][:e], uri: f[2], bracket: true}
		params = f[3]
	} else if f := plainAddrSpec.FindStringSubmatch(s); f != nil {
		a.uri = f[1]
		params = f[2]
	} else {
		return a, false
	}
	p, doubled := plainParams(params)
	if doubled["tag"] || plainTagInBrackets.MatchString(plainQuoted.ReplaceAllString(params, `""`)) {
		return a, false
	}
	a.tag = p["tag"]
	return a, true
}

type plainURIValue struct {
	scheme, user, password, host, params, headers string
	port                                          int
	hasHeaders                                    bool
}

func plainParseURI(s string) (u plainURIValue, ok bool) {
	if !plainAnyURI.MatchString(s) && !strings.Contains(s, "@") {
		return u, false
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || !plainAnyURI.MatchString(scheme+":x") {
		return u, false
	}
	u.scheme = strings.ToLower(scheme)
	switch u.scheme {
	case "sip", "sips":
	case "tel":
		number, params, semi := strings.Cut(rest, ";")
		u.user = number
		if semi {
			u.params = ";" + params
		}
		return u, number != "" && plainAnyURI.MatchString(s)
	default:
		return u, plainAnyURI.MatchString(s)
	}
	if user, hostport, at := strings.Cut(rest, "@"); at {
		rest = hostport
		var colon bool
		if !plainUser.MatchString(user) {
			return u, false
		}
		if u.user, u.password, colon = strings.Cut(user, ":"); colon && u.user == "" {
			return u, false
		}
	}
	if strings.Contains(rest, "@") {
		return u, false
	}
	f := plainURITail.FindStringSubmatch(rest)
	if f == nil || !plainIsHost(f[1]) {
		return u, false
	}
	u.host, u.params = f[1], f[3]
	if f[2] != "" {
		n, err := strconv.ParseUint(f[2], 10, 16)
		if err != nil || n == 0 {
			return u, false
		}
		u.port = int(n)
	}
	if u.hasHeaders = f[4] != ""; u.hasHeaders {
		u.headers = f[4][1:]
	}
	return u, true
}

// check is what Check must say.
func (m *plainMessage) check() Reason {
	text := func(r plainRow) string { return string(r.value.Of(m.raw)) }
	single := func(k Kind, missing Reason, good func(v string) bool) Reason {
		rows := m.of(k)
		switch {
		case len(rows) == 0:
			return missing
		case len(rows) > 1:
			return missing + 1
		case !good(text(rows[0])):
			return missing + 2
		}
		return OK
	}
	vias := m.of(KindVia)
	if len(vias) == 0 {
		return MissingVia
	}
	top, ok := m.topVia()
	if !ok {
		return BadVia
	}
	if r := single(KindCallID, MissingCallID, plainCallID.MatchString); r != OK {
		return r
	}
	var method string
	r := single(KindCSeq, MissingCSeq, func(v string) bool {
		f := plainCSeq.FindStringSubmatch(v)
		if f == nil {
			return false
		}
		method = f[2]
		_, err := strconv.ParseUint(f[1], 10, 32)
		return err == nil
	})
	if r != OK {
		return r
	}
	if m.isRequest && method != m.method {
		return CSeqMethodMismatch
	}
	// In a response From and To are only counted: a proxy forwards it by Via alone (RFC 3261
	// §16.7). An ACK is judged as the 200 was.
	nameAddr := func(v string) bool { _, ok := plainParseNameAddr(v); return ok || !m.isRequest || m.method == "ACK" }
	if r := single(KindFrom, MissingFrom, nameAddr); r != OK {
		return r
	}
	if r := single(KindTo, MissingTo, nameAddr); r != OK {
		return r
	}
	if m.isRequest {
		mf := m.of(KindMaxForwards)
		if len(mf) > 1 {
			return DoubledMaxForwards
		}
		if len(mf) == 1 {
			if n, err := strconv.ParseUint(text(mf[0]), 10, 64); err != nil || n > 255 ||
				!plainDigits.MatchString(text(mf[0])) {
				return BadMaxForwards
			}
		}
		u, ok := plainParseURI(m.uri)
		if !ok {
			return BadRequestURI
		}
		if u.hasHeaders {
			return RequestURIHeaders
		}
		if top.branch == "z9hG4bK" {
			return EmptyBranch
		}
	}
	length := -1
	for _, row := range m.of(KindContentLength) {
		n, err := strconv.ParseUint(text(row), 10, 31)
		if err != nil || !plainDigits.MatchString(text(row)) {
			return BadContentLength
		}
		if length >= 0 && length != int(n) {
			return ContentLengthDiffers
		}
		length = int(n)
	}
	if length > len(m.raw)-m.bodyAt {
		return ShortBody
	}
	return OK
}

// maxBreadth is -1 if there is none or it is malformed.
func (m *plainMessage) maxBreadth() (int, Reason) {
	rows := m.of(KindMaxBreadth)
	if len(rows) == 0 {
		return -1, OK
	}
	v := string(rows[0].value.Of(m.raw))
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || len(rows) > 1 || !plainDigits.MatchString(v) {
		return -1, BadMaxBreadth
	}
	return int(n), OK
}

// topVia reads the first value of the first Via row: it has to be well formed, and so has the comma
// behind it.
func (m *plainMessage) topVia() (plainViaValue, bool) {
	v := string(m.of(KindVia)[0].value.Of(m.raw))
	values, ok := plainSplit(v)
	if len(values) == 0 {
		return plainViaValue{}, false
	}
	if len(values) == 1 && !ok {
		// Something is wrong behind the first value. If it is more than an empty element or the
		// end, the second value only is malformed, which is nobody's business yet.
		_, rest, _ := strings.Cut(v[strings.Index(v, values[0])+len(values[0]):], ",")
		a, e := plainTrim([]byte(rest), 0, len(rest))
		if a == e || rest[a] == ',' {
			return plainViaValue{}, false
		}
	}
	return plainParseVia(values[0])
}
