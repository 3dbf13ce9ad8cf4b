package route

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"viaduct/parser"
	"viaduct/shard/route/suggest"
)

// Selects are the older way to name parts of a message: @from.uri.user, @via[1].branch,
// @hf_value.x_foo[1].param["y"]. They can be read and not assigned to. $sel(from.uri.user) is the
// same.

// selStep is one step of a select: a name, and an index or a text in brackets.
type selStep struct {
	name  string
	index int
	// has says that there are brackets, and text is a text in them
	has  bool // something does
	text string
}

// parseSelect splits a select into its steps. It returns false if s is not a select.
func parseSelect(s string) ([]selStep, bool) {
	var steps []selStep
	for s != "" {
		n := 0
		for n < len(s) && s[n] != '.' && s[n] != '[' {
			n++
		}
		st := selStep{name: strings.ToLower(s[:n])}
		s = s[n:]
		for strings.HasPrefix(s, "[") {
			end := strings.IndexByte(s, ']')
			if len(s) > 1 && (s[1] == '"' || s[1] == '\'') {
				if i := strings.IndexByte(s[2:], s[1]); i >= 0 {
					end = i + 3
				}
			}
			if end < 0 || end >= len(s) || s[end] != ']' {
				return nil, false
			}
			inner := s[1:end]
			s = s[end+1:]
			if k := len(inner); k > 1 && (inner[0] == '"' || inner[0] == '\'') {
				if strings.HasPrefix(st.name, "hf_value") || st.has {
					// the text is a step of its own: @hf_value["X-Foo"][2]
					steps = append(steps, st)
					st = selStep{name: inner[1 : k-1]}
					continue
				}
				st.has, st.text = true, inner[1:k-1]
				continue
			}
			i, err := strconv.Atoi(inner)
			if err != nil || st.has {
				return nil, false
			}
			st.has, st.index = true, i
		}
		steps = append(steps, st)
		if s == "" {
			break
		}
		if s[0] != '.' || len(s) == 1 {
			return nil, false
		}
		s = s[1:]
	}
	return steps, len(steps) > 0
}

// textOf reads a text: a view of the message or of the scratch room.
type textOf = func(c *Ctx) ([]byte, bool)

// sel compiles a select. What is missing is null for $sel, and else an empty text, as in 5.6.3. It
// returns nil after an error.
func (cc *compiler) sel(pos Pos, text string, null bool) *pvCode {
	steps, ok := parseSelect(text)
	if !ok {
		cc.ld.errorf(pos, "bad select @%s", clip(text))
		return nil
	}
	root, rest := steps[0], steps[1:]
	var read textOf
	switch root.name {
	case "cfg_get":
		return cc.customValue(pos, rest)
	case "ruri", "request_uri":
		read = uriSelect((*Ctx).RURI, rest)
	case "dst_uri":
		read = uriSelect((*Ctx).DURI, rest)
	case "next_hop":
		if len(rest) == 1 && rest[0].name == "src_ip" {
			read = cc.plainSelect("received", []selStep{{name: "ip"}})
			break
		}
		read = uriSelect(readNextHop, rest)
	case "from", "f":
		read = addrSelect(headerValue("From", 1), rest)
	case "to", "t":
		read = addrSelect(headerValue("To", 1), rest)
	case "contact", "m":
		read = addrSelect(headerValue("Contact", max(root.index, 1)), rest)
	case "rr", "record_route":
		read = listSelect("Record-Route", root, rest)
	case "route":
		read = listSelect("Route", root, rest)
	case "rpid", "remote_party_id":
		read = addrSelect(headerValue("Remote-Party-ID", 1), rest)
	case "refer_to":
		read = addrSelect(headerValue("Refer-To", 1), rest)
	case "referred_by":
		read = addrSelect(headerValue("Referred-By", 1), rest)
	case "via", "v":
		n := root.index
		if !root.has {
			n = 1
		}
		read = viaSelect(headerValue("Via", n), rest)
	case "hf_value":
		read = headerSelect(rest)
	case "nathelper":
		read = rewrittenSelect(rest)
	case "hf_value2":
		read = rowSelect(rest)
	case "hf_value_exists":
		read = existsSelect(rest)
	case "tls":
		read = cc.tlsSelect(pos, rest)
	default:
		if header, there := credentials[root.name]; there {
			read = credentialSelect(header, root, rest)
		} else if root.has {
			break
		} else if root.name == "msg" && len(rest) > 0 && rest[0].name == "request" {
			read = wholeSelect(true, rest[1:])
		} else if root.name == "msg" && len(rest) > 0 && rest[0].name == "response" {
			read = wholeSelect(false, rest[1:])
		} else if header, there := rowSelects[root.name]; there && len(rest) == 0 {
			read = func(c *Ctx) ([]byte, bool) { return c.Header(header, 0) }
		} else {
			read = cc.wordsSelect(pos, root.name, rest)
		}
	}
	if read == nil {
		cc.ld.errorf(pos, "there is no select @%s%s", clip(text),
			suggest.DidYouMean(root.name, selectNames))
		return nil
	}
	cc.scratch = true
	if null {
		return &pvCode{bytes: read, temp: true}
	}
	return &pvCode{bytes: func(c *Ctx) ([]byte, bool) {
		b, ok := read(c)
		if !ok {
			b = nil
		}
		return b, true
	}, temp: true}
}

var selectNames = []string{"cfg_get", "ruri", "dst_uri", "next_hop", "from", "to", "contact", "rr",
	"record_route", "route", "rpid",
	"refer_to", "referred_by", "via", "hf_value", "hf_value2", "hf_value_exists", "cseq", "call_id",
	"event", "msg", "method", "received", "src", "dst", "authorization", "proxy_authorization",
	"sys", "tls", "version", "remote_party_id", "expires", "max_forwards", "content_type",
	"content_length", "subject", "organization", "priority", "session_expires", "min_se",
	"user_agent", "sip_if_match", "require", "proxy_require", "unsupported", "supported", "allow",
	"accept", "date", "identity", "identity_info", "branch", "nathelper"}

// listSelect compiles @rr[n] and what follows it. Without an index and without further steps it is
// the whole row.
func listSelect(header string, root selStep, rest []selStep) textOf {
	if !root.has && len(rest) == 0 {
		return func(c *Ctx) ([]byte, bool) { return c.Header(header, 0) }
	}
	return addrSelect(headerValue(header, max(root.index, 1)), rest)
}

// customValue compiles @cfg_get.group.name.
func (cc *compiler) customValue(pos Pos, steps []selStep) *pvCode {
	if len(steps) != 2 {
		cc.ld.errorf(pos, "@cfg_get is followed by a group and a name: @cfg_get.group.name")
		return nil
	}
	name := steps[0].name + "." + steps[1].name
	v, ok := cc.custom[name]
	if !ok {
		if pv := cc.settingValue(steps[0].name, steps[1].name); pv != nil {
			return pv
		}
		cc.ld.errorf(pos, "no setting has the name %s%s", clip(name),
			suggest.DidYouMean(name, sortedKeys(cc.custom)))
		return nil
	}
	text := v.appendStr(nil)
	return &pvCode{bytes: func(*Ctx) ([]byte, bool) { return text, true }}
}

// settingValue compiles @cfg_get.GROUP.NAME of a parameter: of the core, of its streams as
// tcp.NAME, or of a loaded module. It returns nil if there is none.
func (cc *compiler) settingValue(group, name string) *pvCode {
	if group == "tcp" {
		group, name = core, "tcp_"+name
	}
	m := cc.defs.loaded[group]
	if m == nil {
		return nil
	}
	d := m.def.params[name]
	if d == nil || d.now == nil {
		return nil
	}
	if d.live {
		for _, l := range m.live {
			if l.Name == name {
				return &pvCode{bytes: func(c *Ctx) ([]byte, bool) {
					return c.number(int64(l.Get())), true
				}, temp: true}
			}
		}
	}
	text := []byte(settingText(d.now(), d.unit))
	return &pvCode{bytes: func(*Ctx) ([]byte, bool) { return text, true }}
}

// settingText returns the value of a parameter as a text.
func settingText(v any, unit time.Duration) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Duration:
		if unit == 0 {
			unit = time.Second // see timeoutVar
		}
		return strconv.FormatInt(int64(v/unit), 10)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// readNextHop reads where the request goes: $du, or else the Request-URI.
func readNextHop(c *Ctx) ([]byte, bool) {
	if b, ok := c.DURI(); ok {
		return b, true
	}
	return c.RURI()
}

// addrOrParams is addrSelect for a value that may have no URI. Its parameters then begin at the
// first semicolon.
func addrOrParams(value valueAt, steps []selStep) textOf {
	if len(steps) > 0 {
		switch steps[0].name {
		case "uri":
			return uriSelect(func(c *Ctx) ([]byte, bool) {
				at, ok := value(c)
				if !ok {
					return nil, false
				}
				return valueURI(c, at), true
			}, steps[1:])
		case "name":
			name := addrSelect(value, steps)
			return func(c *Ctx) ([]byte, bool) {
				b, ok := name(c)
				return unquoted(b), ok
			}
		case "nameaddr":
			return addrSelect(value, steps)
		}
	}
	if len(steps) == 0 {
		return addrSelect(value, nil)
	}
	params := func(c *Ctx) ([]byte, bool) {
		s, ok := value(c)
		if !ok {
			return nil, false
		}
		b := c.Msg.Bytes(s)
		at := 0
		if i := bytes.IndexByte(b, '>'); i >= 0 {
			at = i
		}
		i := bytes.IndexByte(b[at:], ';')
		if i < 0 {
			return nil, false
		}
		return b[at+i:], true
	}
	switch steps[0].name {
	case "params", "param", "p":
		return paramSelect(params, steps)
	}
	return paramSelect(params, append([]selStep{{name: "params"}}, steps...))
}

// headerRow compiles @msg.header["NAME"] and @msg.header.NAME, the first row of that name.
func headerRow(steps []selStep, name string) textOf {
	if len(steps) == 1 && !steps[0].has && name == "" {
		name = headerName(&steps[0])
	} else if len(steps) > 0 || name == "" {
		return nil
	}
	return func(c *Ctx) ([]byte, bool) { return c.Header(name, 0) }
}

// wordsSelect compiles the selects that consist of words only.
func (cc *compiler) wordsSelect(pos Pos, root string, steps []selStep) textOf {
	if read := cc.plainSelect(root, steps); read != nil {
		return read
	}
	path := root
	for _, s := range steps {
		if path += "." + s.name; s.has {
			return nil
		}
	}
	if read := cc.systemSelect(path); read != nil {
		return read
	}
	if read := addressSelect(path); read != nil {
		return read
	}
	return cc.messageSelect(pos, path)
}

// plainSelect compiles the selects that read a part of the message as it is. It returns nil for
// others.
func (cc *compiler) plainSelect(root string, steps []selStep) textOf {
	path := root
	if root == "msg" && len(steps) > 0 && steps[0].name == "header" &&
		(steps[0].has || len(steps) > 1) {
		return headerRow(steps[1:], steps[0].text)
	}
	for _, s := range steps {
		path += "." + s.name
		if s.has {
			return nil
		}
	}
	switch path {
	case "cseq":
		return func(c *Ctx) ([]byte, bool) { return c.First(parser.KindCSeq) }
	case "cseq.num":
		return func(c *Ctx) ([]byte, bool) {
			n, ok := c.CSeq()
			return c.number(n), ok
		}
	case "cseq.method":
		return func(c *Ctx) ([]byte, bool) {
			cs, r := c.Msg.CSeq()
			return c.Msg.Bytes(cs.MethodName), r == parser.OK
		}
	case "call_id":
		return (*Ctx).CallID
	case "event":
		return func(c *Ctx) ([]byte, bool) {
			b, ok := c.First(parser.KindEvent)
			b, _, _ = bytes.Cut(b, []byte{';'})
			return b, ok
		}
	case "method":
		return (*Ctx).Method
	case "msg":
		return func(c *Ctx) ([]byte, bool) { return c.Msg.Raw, true }
	case "msg.first_line":
		return func(c *Ctx) ([]byte, bool) { return c.Msg.Bytes(c.Msg.StartLine), true }
	case "msg.body":
		return (*Ctx).Body
	case "msg.type":
		return func(c *Ctx) ([]byte, bool) {
			n, ok := c.MessageType()
			return c.number(n), ok
		}
	case "msg.len":
		return func(c *Ctx) ([]byte, bool) { return c.number(int64(len(c.Msg.Raw))), true }
	case "received.ip", "dst.ip":
		return (*Ctx).ReceivedIP
	case "received.port", "dst.port":
		return func(c *Ctx) ([]byte, bool) { return c.number(int64(c.LocalAddr().Port())), true }
	case "src.ip":
		return (*Ctx).SourceIP
	case "src.port":
		return func(c *Ctx) ([]byte, bool) { return c.number(int64(c.From().Port())), true }
	case "received.proto":
		return (*Ctx).TransportWord
	}
	return nil
}
