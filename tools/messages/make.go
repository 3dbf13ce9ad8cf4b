package messages

import (
	"fmt"
	"strconv"
	"strings"
)

// Env is the world a message is made for: host:port of the three parties, and a name for the call
// that no other call has.
type Env struct {
	Proxy, Caller, Callee string
	ID                    string
}

const (
	alphanum   = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	tokenChars = alphanum + "-.!%*_+`'~"
	unreserved = alphanum + "-_.!~*'()"
	wordChars  = tokenChars + "()<>:\\\"/[]?{}"
	printable  = alphanum + " !#$%&'()*+,-./:;<=>?@[]^_`{|}~"
)

// Methods are those a test may ask for; the last one stands for any token.
var Methods = []string{"INVITE", "OPTIONS", "MESSAGE", "BYE", "SUBSCRIBE", "NOTIFY", "INFO",
	"UPDATE", "PRACK", "REFER", "PUBLISH", "REGISTER", "?"}

// builder collects the rows of a message.
type builder struct {
	*Source
	env   Env
	m     Message
	names int
}

// number makes a parameter's name unlike those before: none may stand twice (§7.3.1).
func (g *builder) number() string {
	g.names++
	return strconv.Itoa(g.names)
}

// add writes a header: its values in one row or several where it is a list.
func (g *builder) add(header string, values ...string) {
	for len(values) > 0 {
		n := 1
		for n < len(values) && g.Chance(50) {
			n++
		}
		name := header
		if short := compact[header]; short != "" && g.freely() {
			name = short
		}
		name = g.recase(name)
		line := name
		if g.freely() {
			line += g.One(" ", "\t", "  ")
		}
		line += ":"
		if g.odd == 0 || !g.Chance(g.odd/2) {
			line += " "
		}
		line += g.sws()
		for i, v := range values[:n] {
			if i > 0 {
				line += g.sws() + "," + g.lws()
			}
			line += v
		}
		g.m.Rows = append(g.m.Rows,
			Row{Header: header, Name: name, Values: values[:n:n], Line: line + "\r\n"})
		values = values[n:]
	}
}

// method is one of Methods, or a token of the Source's.
func (s *Source) method(name string) string {
	if name != "?" {
		return name
	}
	// a method has a case: "Invite" is none of the RFC's (§7.1)
	return s.One("FOO", "PING", "Invite", "x-!%*_+`'~.1", "NEWMETHOD")
}

func (g *builder) token(most int) string { return g.Text(tokenChars, 1, most) }

func (g *builder) quoted() string {
	var b strings.Builder
	b.WriteByte('"')
	for range g.N(12) {
		switch g.N(9) {
		case 7:
			b.WriteString(g.One(`\"`, `\\`, `\,`, `\a`))
		case 8:
			b.WriteString(g.One("é", "日本", "ß", ", ", "<sip:x@y>", ";tag=q"))
		default:
			b.WriteString(g.Text(printable, 1, 3))
		}
	}
	return b.String() + `"`
}

// param is generic-param. Its name is none that a proxy looks at.
func (g *builder) param() string {
	p := g.around(";") + g.One("x", "foo", "a.b", "reg-id", "x-y_z", "+sip.instance",
		"N") + g.number()
	switch g.N(4) {
	case 0:
		return p
	case 1:
		return p + g.around("=") + g.quoted()
	case 2:
		return p + g.around("=") + g.One("[2001:db8::1]", "10.0.0.1", "example.com")
	}
	return p + g.around("=") + g.token(8)
}

func (g *builder) params(most int) (s string) {
	if g.odd > 0 {
		for range g.N(most + 1) {
			s += g.param()
		}
	}
	return s
}

// user is userinfo without "@".
func (g *builder) user() string {
	if g.odd == 0 || g.N(3) == 0 {
		return g.One("bob", "alice", "+15551234", "service")
	}
	u := g.Text(unreserved+"&=+$,;?/", 1, 8)
	if g.freely() {
		u += g.One("%20", "%40", "%e2%82%ac", "%00", "%5B", ";day=tuesday",
			";phone-context=example.com")
	}
	if g.freely() {
		u += ":" + g.Text(unreserved+"&=+$,", 0, 6)
	}
	return u
}

func (g *builder) host() string {
	return g.One("example.com", "a.b-c.example", "192.0.2.4", "[2001:db8::9:1]",
		"atlanta.example.com.", "h1", "192.0.2.4:5070", "example.net:5061", "[::1]:5080")
}

// uriParams are uri-parameters that leave the request on UDP to the same place.
func (g *builder) uriParams() (s string) {
	if g.odd > 0 {
		all := [...]string{"transport=udp", "user=phone", "ob", "x=y%20z", "foo", "method=INVITE",
			"p!-_.~*'()=[]/:&+$", "ttl=1", "a=1;b=2", "lr"}
		from, step := g.N(len(all)), 1+g.N(3)
		for i := range g.N(3) {
			s += ";" + all[(from+i*step)%len(all)]
		}
	}
	return s
}

// uri is a SIP URI with that host and port.
func (g *builder) uri(hostPort string) string {
	u := g.recase("sip") + ":"
	if g.N(8) != 7 {
		u += g.user() + "@"
	}
	return u + hostPort + g.uriParams()
}

// party is the URI of From, To or Contact: any URI.
func (g *builder) party() string {
	if g.freely() {
		return g.One("tel:+1-555-0100;phone-context=example.com", "urn:service:sos",
			"http://example.com/a?b=c", "sips:bob@example.com", "mailto:bob@example.com",
			"sip:bob@example.com?subject=a%20b&x=y", "sip:"+g.host())
	}
	return g.uri(g.host())
}

// nameAddr is name-addr, or addr-spec where that is unambiguous (§20), without header parameters.
func (g *builder) nameAddr(uri string) string {
	if !strings.ContainsAny(uri, ",;?") && g.freely() {
		return uri
	}
	display := ""
	switch {
	case g.odd == 0:
		display = g.One("", "Bob ", `"Bob" `)
	case g.N(3) == 0:
		display = g.quoted() + g.sws()
	case g.N(2) == 0:
		for range 1 + g.N(3) {
			display += g.token(6) + g.lws()
		}
	}
	return display + "<" + uri + ">"
}

// via is a Via value.
func (g *builder) via(hostPort, branch string) string {
	v := g.recase("SIP") + g.around("/") + "2.0" +
		g.around("/") + g.One("UDP", "UDP", "UDP", g.recase("UDP")) + g.lws() + hostPort
	own := g.around(";") + g.recase("branch") + g.around("=") + branch
	if g.Chance(30) {
		own += g.around(";") + g.recase("rport")
	}
	return v + g.params(1) + own + g.params(1)
}

// furtherVias are those of hops before the caller.
func (g *builder) furtherVias() (vias []string) {
	if g.N(3) == 2 {
		for range 1 + g.N(4) {
			v := "SIP" + g.around("/") + "2.0" +
				g.around("/") + g.One("UDP", "TCP", "TLS", "SCTP", "TLS-SCTP",
				"X-y") + g.lws() + g.host()
			if g.N(5) > 0 {
				v += g.around(";") + "branch" + g.around("=") + "z9hG4bK" + g.token(12)
			}
			if g.freely() {
				v += g.around(";") + g.One("received=192.0.2.77", "rport=4711", "ttl=16",
					"maddr=192.0.2.1", "received=2001:db8::1")
			}
			vias = append(vias, v+g.params(2))
		}
	}
	return vias
}

// others are rows that concern no proxy, each in its place at random.
func (g *builder) others() {
	had := 0
	for range g.N(7) {
		kind := g.N(14)
		if had&(1<<kind) != 0 {
			continue // most of them may stand once only
		}
		had |= 1 << kind
		switch kind {
		case 0:
			g.add("Subject", g.One("", "hello", "a, b; c", "SIP/2.0 200 OK", "Via: not one"))
		case 1:
			g.add("Supported", g.One("100rel", "path", "timer", "x-"+g.Text(alphanum, 1, 5)),
				"replaces")
		case 2:
			g.add("Allow", "INVITE", "ACK", "BYE", "CANCEL", "X")
		case 3:
			g.add("User-Agent", g.One("Softphone Beta1.5", "x/1.0 (a (nested) comment)",
				"a"+g.lws()+"b"))
		case 4:
			g.add("X-"+g.Text(alphanum+"-_.", 1, 12), "v"+g.Text(printable, 0, 60)+"x")
		case 5:
			g.add("Date", "Sat, 13 Nov 2010 23:29:00 GMT")
		case 6:
			g.add("Organization", "Böxes by Bob")
		case 7:
			g.add("Accept", "application/sdp;level=1, text/html")
		case 8:
			g.add("Event", "presence"+g.params(1))
		case 9:
			g.add("Session-Expires", "4000;refresher=uac")
		case 10:
			g.add("Referred-By", g.nameAddr("sip:r@example.com"))
		case 11:
			g.add("Timestamp", g.One("54", "54.21 0.5"))
		case 12:
			g.add("Record-Route", "<sip:"+g.host()+";lr>"+g.params(1))
		case 13:
			g.add("P-Asserted-Identity", "<sip:"+g.host()+">")
		}
	}
}

// shuffle puts the rows in another order; rows of one header keep theirs (§7.3.1).
func (g *builder) shuffle() {
	if g.odd == 0 {
		return
	}
	rows := g.m.Rows
	for i := len(rows) - 1; i > 0; i-- {
		j := g.N(i + 1)
		ok := true
		for k := j; k < i; k++ {
			ok = ok && rows[k+1].Header != rows[j].Header
		}
		if ok {
			r := rows[j]
			copy(rows[j:i], rows[j+1:i+1])
			rows[i] = r
		}
	}
}

// finish adds body, Content-Length and the rest, and gives the message.
func (g *builder) finish() *Message {
	g.others()
	switch g.N(4) {
	case 2:
		g.m.Body = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"
		g.add("Content-Type", "application/sdp")
	case 3:
		g.m.Body = g.Text(printable+"\r\n\x00\x01\x02", 0, 80)
		g.add("Content-Type", g.One("text/plain", "application/octet-stream;x=y"))
	}
	if g.m.Body != "" || g.N(5) > 0 {
		zeros := ""
		if g.freely() {
			zeros = g.One("0", "00")
		}
		g.add("Content-Length", zeros+strconv.Itoa(len(g.m.Body)))
	}
	g.shuffle()
	m := g.m
	return &m
}

// Request is a request from the caller that the proxy forwards to the callee: by its Request-URI,
// or in a dialog by its Route set. It has at least one hop left.
func Request(s *Source, env Env, method string, inDialog bool) *Message {
	s.Restyle()
	g := &builder{Source: s, env: env}
	g.m.Method = s.method(method)
	g.m.URI = g.uri(env.Callee)
	var routes []string
	if inDialog {
		routes = append(routes, g.route("<sip:"+env.Proxy+";lr>"))
		if g.N(2) == 1 { // a further loose router decides, whatever the Request-URI
			routes = append(routes, g.route("<sip:"+env.Callee+";lr>"))
			g.m.URI = g.uri(g.host())
			for range g.N(3) {
				routes = append(routes, g.route("<sip:"+g.host()+";lr>"))
			}
		}
	}
	g.m.Start = g.m.Method + " " + g.m.URI + " SIP/2.0"
	branch := "z9hG4bK" + env.ID + g.Text(tokenChars, 0, 10)
	sentBy := env.Caller
	if g.freely() {
		// behind a NAT, or a name
		sentBy = g.One("pc33.example.com", "Caller", "192.0.2.200",
			"[2001:db8::33]") + sentBy[strings.LastIndexByte(sentBy, ':'):]
	}
	g.add("Via", append([]string{g.via(sentBy, branch)}, g.furtherVias()...)...)
	if g.N(6) > 0 {
		zeros := ""
		if g.freely() {
			zeros = "0"
		}
		g.add("Max-Forwards", zeros+g.One("70", "1", "2", "10", "69", "71", "100", "255"))
	}
	if len(routes) > 0 {
		g.add("Route", routes...)
	}
	g.add("From", g.nameAddr(g.party())+g.params(1)+g.around(";")+g.recase("tag")+g.around("=")+
		g.token(10)+g.params(1))
	to := g.nameAddr(g.party()) + g.params(1)
	if inDialog {
		to += g.around(";") + g.recase("tag") + g.around("=") + g.token(10)
	}
	g.add("To", to)
	g.add("Call-ID", env.ID+g.callIDRest())
	zeros := ""
	if g.freely() {
		zeros = "00"
	}
	g.add("CSeq", zeros+g.One("1", "2", "4711", "2147483647",
		strconv.Itoa(1+g.N(200)))+g.lws()+g.m.Method)
	if g.N(3) > 0 {
		g.contact()
	}
	return g.finish()
}

func (g *builder) callIDRest() string {
	if g.odd == 0 {
		return "@192.0.2.9"
	}
	return g.Text(wordChars, 0, 10) + g.One("", "@"+g.Text(wordChars, 1, 8))
}

func (g *builder) route(addr string) string {
	if g.freely() {
		addr = g.quoted() + " " + addr
	}
	return addr + g.params(1)
}

func (g *builder) contact() {
	values := []string{g.nameAddr("sip:bob@" + g.env.Caller)}
	for range g.N(3) {
		values = append(values, g.nameAddr(g.party())+g.around(";")+"q"+
			g.around("=")+g.One("0.5", "1", "0.000")+g.params(1))
	}
	g.add("Contact", values...)
}

// Follow is the CANCEL of an INVITE, or the ACK of its final response if that was no 2xx (§9.1,
// §17.1.1.3).
func Follow(invite *Message, method string, final *Message) *Message {
	m := &Message{Method: method, URI: invite.URI, Start: method + " " + invite.URI + " SIP/2.0"}
	add := func(header, value string) {
		m.Rows = append(m.Rows, Row{
			Header: header, Name: header, Values: []string{value},
			Line: header + ": " + value + "\r\n",
		})
	}
	add("Via", invite.Get("Via"))
	for _, r := range invite.All("Route") {
		add("Route", r)
	}
	add("Max-Forwards", "70")
	add("From", invite.Get("From"))
	to := invite.Get("To")
	if final != nil {
		to = final.Get("To")
	}
	add("To", to)
	add("Call-ID", invite.Get("Call-ID"))
	number := strings.Fields(invite.Get("CSeq"))[0]
	add("CSeq", number+" "+method)
	add("Content-Length", "0")
	return m
}

// Response answers a request as the callee got it. Its Vias are the request's values in their
// order, its rows of them may be others.
func Response(s *Source, env Env, req *Message, status int, toTag string) *Message {
	s.Restyle()
	g := &builder{Source: s, env: env}
	g.m.Status = status
	g.m.Start = fmt.Sprintf("%s %d %s", "SIP/2.0", status,
		g.One("OK", "", "Some reason", "Grüße, Welt", "a  b: <c>"))
	g.add("Via", req.All("Via")...)
	g.add("From", req.Get("From"))
	to := req.Get("To")
	if _, has := Param(to, "tag"); !has && status > 100 {
		to += g.around(";") + "tag" + g.around("=") + toTag
	}
	g.add("To", to)
	g.add("Call-ID", req.Get("Call-ID"))
	g.add("CSeq", req.Get("CSeq"))
	for _, r := range req.All("Record-Route") {
		g.add("Record-Route", r)
	}
	switch {
	case status/100 == 3 || g.N(3) > 0:
		g.contact()
	case status == 401:
		g.add("WWW-Authenticate", `Digest realm="a, b", nonce="x\"y", algorithm=MD5`)
	case status == 407:
		g.add("Proxy-Authenticate",
			`Digest realm="example.com", nonce="84a4cc6f3082121f32b42a2187831a9e"`)
	case status == 503:
		g.add("Retry-After", "120 (maintenance);duration=60")
	}
	return g.finish()
}
