package pv

import (
	"bytes"
	"os"
	"time"

	"viaduct/parser"
	"viaduct/shard/route"
)

// oddments are the variables that few scripts read.
func oddments(m *route.Module) {
	plainVar(m, "ruri", "The Request-URI, as $ru.", route.Place{NoRoom: true, SetRoom: true,
		Text: (*route.Ctx).RURI, Set: (*route.Ctx).SetRURI})
	bothVar(m, "oP", "The transport of the Request-URI as received, as it is written, UDP if none "+
		"is; as a number as $prid.", pick(received, writtenTransport), transportNumber(received))
	for _, l := range []struct {
		name, of string
		uri      func(c *route.Ctx) *parser.URI
	}{
		{"rUl", "the Request-URI", (*route.Ctx).RequestURI},
		{"oUl", "the Request-URI as received", received},
		{"fUl", "From", (*route.Ctx).ParsedFrom}, {"tUl", "To", (*route.Ctx).ParsedTo},
	} {
		uri := l.uri
		numberVar(m, l.name, "The length of the user of "+l.of+" is.", func(c *route.Ctx) (int64, bool) {
			u := uri(c)
			if u == nil {
				return 0, false
			}
			return int64(u.User.Len), true
		})
	}
	textVar(m, "AU", "The user of From, for accounting.", func(c *route.Ctx) ([]byte, bool) {
		u := c.ParsedFrom()
		if u == nil {
			return nil, false
		}
		return u.UserBytes(), true
	})
	madeVar(m, "Au", "User and host of From, for accounting.", func(c *route.Ctx) ([]byte, bool) {
		u := c.ParsedFrom()
		if u == nil {
			return nil, false
		}
		b := append(append(c.Room(), u.UserBytes()...), '@')
		return built(c, append(b, u.HostBytes()...))
	})
	textVar(m, "csb", "The value of CSeq.",
		func(c *route.Ctx) ([]byte, bool) { return c.First(parser.KindCSeq) })
	textVar(m, "rv", "The version of SIP; in event_route[xhttp:request], that of HTTP.",
		func(c *route.Ctx) ([]byte, bool) {
			if c.Request != nil && c.Request.IsHTTP() {
				line := c.Msg.Bytes(c.Msg.StartLine)
				return line[bytes.LastIndexByte(line, ' ')+1:], true
			}
			return sipVersion, true
		})
	textVar(m, "rt", "The URI of Refer-To.", func(c *route.Ctx) ([]byte, bool) {
		i := c.Msg.First(parser.KindReferTo)
		var a parser.NameAddr
		if i < 0 || c.Msg.NameAddr(c.Msg.Headers[i].Value, &a) != parser.OK {
			return nil, false
		}
		return c.Msg.Bytes(a.URI), true
	})
	numberVar(m, "rmid", "The number of the method, a power of 2: INVITE is 1.",
		methodNumber)
	id := &m.Settings().Core.ServerID
	numberVar(m, "sid", "The number of this node, server_id.",
		func(*route.Ctx) (int64, bool) { return int64(*id), true })
	for _, d := range [][2]string{{"dic", "counter"}, {"dip", "privacy"}, {"dir", "reason"}} {
		param := d[1]
		textVar(m, d[0], "The parameter "+param+" of the first Diversion.",
			func(c *route.Ctx) ([]byte, bool) { return diversionParam(c.Msg, param) })
	}
	for _, end := range []string{"ruid", "location_ua"} {
		plainVar(m, end, "Null: there is no registrar yet.",
			route.Place{NoRoom: true, Any: func(*route.Ctx) route.Value { return route.Null }})
	}
	m.Var(route.Var{Name: "expires", Inner: "min or max", Always: true, Compile: expiresVar,
		Doc: "The shortest or longest expiry of the Contacts, in seconds."})
	m.Var(route.Var{Name: "msg", Inner: "buf, body, fline, hdrs, len or lpart", Always: true,
		Compile: messagePart,
		Doc: "The message as received, or a part of it: lpart is everything after the first " +
			"line."})
	m.Var(route.Var{Name: "env", Inner: "name", Always: true,
		Doc: "An environment variable, as it was when the file was loaded.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			v, ok := os.LookupEnv(inner)
			text := []byte(v)
			return route.Place{NoRoom: true,
				Text: func(*route.Ctx) ([]byte, bool) { return text, ok }}
		}})
	m.Var(route.Var{Name: "_s", Inner: "text", Always: true,
		Doc: "A text with its variables filled in.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			t := b.Text(inner)
			return route.Place{Text: func(c *route.Ctx) ([]byte, bool) { return t.Expand(c), true }}
		}})
	constants(m)
	calendars(m)
}

var sipVersion = []byte("SIP/2.0")

// methodNumbers are Kamailio's methods, in the order of their bits.
var methodNumbers = [...]string{"INVITE", "CANCEL", "ACK", "BYE", "INFO", "REGISTER", "SUBSCRIBE",
	"NOTIFY", "MESSAGE", "OPTIONS", "PRACK", "UPDATE", "REFER", "PUBLISH", "KDMQ", "GET", "POST",
	"PUT", "DELETE"}

// otherMethod is the number of any other.
const otherMethod = 1 << 19

// MethodNumber is the number of the method, $rmid; 0 if there is none.
func MethodNumber(c *route.Ctx) int64 {
	name, ok := c.Method()
	if !ok {
		return 0
	}
	for i, is := range methodNumbers {
		if string(name) == is {
			return 1 << i
		}
	}
	return otherMethod
}

// diversionParam is a parameter of the first Diversion.
func diversionParam(m *parser.Message, name string) ([]byte, bool) {
	i := m.First(parser.KindDiversion)
	var a parser.NameAddr
	if i < 0 || parser.ParseNameAddr(m.Raw, firstOf(m, i), &a) != parser.OK {
		return nil, false
	}
	return addrParam(m, &a, name)
}

// addrParam is a parameter behind a URI.
func addrParam(m *parser.Message, a *parser.NameAddr, name string) ([]byte, bool) {
	params := parser.URI{Raw: m.Raw, Params: a.Params}
	v, ok := params.Param(name)
	return bytes.TrimSpace(v), ok
}

// expiresVar is $expires(min) and $expires(max).
func expiresVar(b *route.VarBuild, inner, _ string) route.Place {
	if inner != "min" && inner != "max" {
		b.Errorf("$expires has min and max, not %s", route.Quote(inner))
		return route.Place{}
	}
	least := inner == "min"
	return route.Place{NoRoom: true, Int: func(c *route.Ctx) (int64, bool) {
		all, there := int64(0), false
		if i := c.Msg.First(parser.KindExpires); i >= 0 {
			all = route.Atoi(c.Msg.Bytes(c.Msg.Headers[i].Value))
			there = true
		}
		found, some := int64(0), false
		values := c.Msg.Values(parser.KindContact)
		for values.Next() {
			var a parser.NameAddr
			n, ok := all, there
			if parser.ParseNameAddr(c.Msg.Raw, values.Value, &a) == parser.OK {
				if v, own := addrParam(c.Msg, &a, "expires"); own {
					n, ok = route.Atoi(v), true
				}
			}
			switch {
			case !ok:
			case !some, least && n < found, !least && n > found:
				found, some = n, true
			}
		}
		if !some {
			return all, there
		}
		return found, true
	}}
}

// messagePart is $msg(inner).
func messagePart(b *route.VarBuild, inner, _ string) route.Place {
	text := func(f func(m *parser.Message) []byte) route.Place {
		return route.Place{NoRoom: true,
			Text: func(c *route.Ctx) ([]byte, bool) { return f(c.Msg), true }}
	}
	switch inner {
	case "buf":
		return text(func(m *parser.Message) []byte { return m.Raw })
	case "body":
		return text(func(m *parser.Message) []byte { return m.Body() })
	case "fline":
		return text(func(m *parser.Message) []byte {
			return bytes.TrimRight(m.Bytes(m.StartLine), "\r\n")
		})
	case "hdrs":
		return text(func(m *parser.Message) []byte {
			return bytes.TrimRight(m.Raw[m.HeaderStart:m.HeaderEnd], "\r\n")
		})
	case "lpart":
		return text(func(m *parser.Message) []byte { return m.Raw[m.HeaderStart:] })
	case "len":
		return route.Place{NoRoom: true,
			Int: func(c *route.Ctx) (int64, bool) { return int64(len(c.Msg.Raw)), true }}
	}
	b.Errorf("$msg has buf, body, fline, hdrs, len and lpart, not %s", route.Quote(inner))
	return route.Place{}
}

// constants are $K and $version.
func constants(m *route.Module) {
	numbers := map[string]int64{"IPv4": 2, "IPv6": 10, "UDP": 1, "TCP": 2, "TLS": 3, "SCTP": 4,
		"WS": 5, "WSS": 6}
	m.Var(route.Var{Name: "K", Inner: "IPv4, IPv6, UDP, TCP, TLS, SCTP, WS or WSS", Always: true,
		Doc: "The number of a protocol, as $af and $prid have it.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			n, ok := numbers[inner]
			if !ok {
				b.Errorf("$K has IPv4, IPv6, UDP, TCP, TLS, SCTP, WS and WSS, not %s",
					route.Quote(inner))
			}
			return route.Place{NoRoom: true,
				Int: func(*route.Ctx) (int64, bool) { return n, true }}
		}})
	versions := map[string]string{"num": "5.6.3", "full": "viaduct, as kamailio 5.6.3",
		"hash": "unknown"}
	m.Var(route.Var{Name: "version", Inner: "num, full or hash", Always: true,
		Doc: "The version of Kamailio that files are read as.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			v, ok := versions[inner]
			if !ok {
				b.Errorf("$version has num, full and hash, not %s", route.Quote(inner))
			}
			text := []byte(v)
			return route.Place{NoRoom: true,
				Text: func(*route.Ctx) ([]byte, bool) { return text, true }}
		}})
}

// calendars are the variables of date and time.
func calendars(m *route.Module) {
	m.Var(route.Var{Name: "TF", Doc: "The local time, as in Mon Nov 30 13:15:40 2026.",
		Place: route.Place{Any: func(c *route.Ctx) route.Value {
			return c.Built(time.Now().AppendFormat(c.Room(), time.ANSIC))
		}}})
	for _, z := range []struct {
		name, doc string
		in        func(t time.Time) time.Time
	}{{"time", "local time", time.Time.Local}, {"utime", "UTC", time.Time.UTC}} {
		name, in := z.name, z.in
		m.Var(route.Var{Name: z.name, Inner: "sec, min, hour, mday, mon, year, wday, yday or isdst",
			Always: true,
			Doc: "A part of the " + z.doc + "; mon, wday (Sunday) and yday begin with 1. isdst: " +
				"1 in summer time.",
			Compile: func(b *route.VarBuild, inner, _ string) route.Place {
				part := timeParts[inner]
				if part == nil {
					b.Errorf("$%s has sec, min, hour, mday, mon, year, wday, yday and isdst, not %s",
						name, route.Quote(inner))
				}
				return route.Place{NoRoom: true, Int: func(*route.Ctx) (int64, bool) {
					return int64(part(in(time.Now()))), true
				}}
			}})
		m.Var(route.Var{Name: z.name + "f", Inner: "format", Always: true,
			Doc: "The " + z.doc + " in a form of strftime(3).",
			Compile: func(b *route.VarBuild, inner, _ string) route.Place {
				return route.Place{Any: func(c *route.Ctx) route.Value {
					out := c.Room()
					if len(inner)*32 > cap(out) {
						return c.TooLong()
					}
					return c.Built(strftime(out, inner, in(time.Now()), 0))
				}}
			}})
	}
}

var timeParts = map[string]func(t time.Time) int{
	"sec": time.Time.Second, "min": time.Time.Minute, "hour": time.Time.Hour,
	"mday": time.Time.Day, "year": time.Time.Year, "yday": time.Time.YearDay,
	"mon":  func(t time.Time) int { return int(t.Month()) },
	"wday": func(t time.Time) int { return int(t.Weekday()) + 1 },
	"isdst": func(t time.Time) int {
		if t.IsDST() {
			return 1
		}
		return 0
	},
}
