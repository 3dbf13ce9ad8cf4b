package acc

import (
	"strconv"
	"time"

	"viaduct/parser"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/rr"
	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// lineBytes is the longest line; a longer one is cut.
const lineBytes = route.MaxLineBytes

// line is the memory that a shard writes lines in.
type line struct{ b, tag []byte }

// times is how a line says when it was written, besides its timestamp in seconds.
type times struct {
	mode                *int
	attr, exten, format *string
}

func (t *times) define(m *route.Module) {
	t.mode = m.Int("time_mode", 0, 0, 4, "What follows timestamp, the seconds. 0: nothing. 1: the "+
		"microseconds. 2: seconds and milliseconds. 3: the local time by time_format. 4: that in UTC.")
	t.attr = m.Text("time_attr", "time_attr", "The name of what time_mode 2 to 4 write.")
	t.exten = m.Text("time_exten", "time_exten", "The name of what time_mode 1 writes.")
	t.format = m.Text("time_format", "%Y-%m-%d %H:%M:%S", "As in strftime(3).")
}

// append writes the time.
func (t *times) append(b []byte, now time.Time) []byte {
	b = strconv.AppendInt(append(b, "timestamp="...), now.Unix(), 10)
	name := func(s string) { b = append(append(append(b, ';'), s...), '=') }
	switch *t.mode {
	case 1:
		name(*t.exten)
		b = strconv.AppendInt(b, int64(now.Nanosecond()/1000), 10)
	case 2:
		name(*t.attr)
		b = strconv.AppendInt(b, now.Unix(), 10)
		ms := strconv.Itoa(1000 + now.Nanosecond()/1e6)
		b = append(append(b, '.'), ms[1:]...)
	case 3, 4:
		if *t.mode == 4 {
			now = now.UTC()
		}
		name(*t.attr)
		b = pv.Strftime(b, *t.format, now)
	}
	return b
}

// heard implements route.Accounting.
func (a *acc) heard(c *route.Ctx, x *proxy.Accounted) {
	flags := x.Flags(c.Shard.Core)
	if c.Msg.Method == parser.CANCEL && !*a.cancels {
		return
	}
	switch {
	case x.Missed:
		if flags&bit(*a.missed) != 0 {
			a.write(c, "ACC: call missed: ", x)
			x.ClearFlags(c.Shard.Core, bit(*a.missed))
		}
		return
	case flags&bit(*a.answered) == 0:
	case x.Ack:
		a.write(c, "ACC: request acknowledged: ", x)
	case x.Status < 200 && (!*a.early || x.Response == nil || len(x.Response.Body()) == 0):
	case x.Status >= 300 && (flags&bit(*a.failed) == 0 || a.filtered(x.Status)):
	default:
		a.write(c, "ACC: transaction answered: ", x)
	}
}

func (a *acc) filtered(status int) bool {
	for _, code := range a.filter {
		if code == status {
			return true
		}
	}
	return false
}

// write writes the line about a transaction.
func (a *acc) write(c *route.Ctx, what string, x *proxy.Accounted) {
	reason, known := phrases[x.Status]
	if r := x.Response; r != nil {
		if !x.Local && int(r.Status) == x.Status || !known {
			reason = string(r.Bytes(r.Phrase))
		}
		if i := r.HeaderByName("Reason", 0); *a.reasonHeader && i >= 0 {
			reason = string(r.Bytes(r.Headers[i].Value))
		}
	}
	a.log(c, what, x.Response, strconv.Itoa(x.Status), reason)
}

// log writes a line about the request at hand. response may be nil.
func (a *acc) log(c *route.Ctx, what string, response *parser.Message, code, reason string) {
	log := c.Shard.Log
	if *a.level > log.LogLevel() {
		return
	}
	m := c.Msg
	l := a.lines.Of(c)
	from, to, method := tag(m, parser.KindFrom), tag(m, parser.KindTo), m.MethodBytes()
	switch {
	case response != nil:
		to = tag(response, parser.KindTo)
	case c.Request != nil:
		l.tag = c.Request.AppendOwnTag(l.tag[:0])
		to = l.tag
	}
	if !m.IsRequest {
		cseq, _ := m.CSeq()
		method = cseq.MethodName.Of(m.Raw)
	}
	turn := *a.direction && m.HasToTag() && rr.Upstream(c)
	if turn {
		from, to = to, from
	}
	b := a.times.append(append(l.b[:0], what...), time.Now())
	add := func(name string, value []byte) { b = append(append(b, name...), value...) }
	add(";method=", method)
	add(";from_tag=", from)
	add(";to_tag=", to)
	add(";call_id=", m.CallID())
	b = append(append(b, ";code="...), code...)
	b = append(append(b, ";reason="...), reason...)
	for i := range a.extra {
		f := &a.extra[i]
		p := f.place
		if turn && f.turned != nil {
			p = f.turned
		}
		b = p.Append(c, append(b, f.name...))
	}
	b = a.appendLegs(c, b)
	log.Log(*a.level, b)
}

// appendLegs appends the values of the AVPs of multi_leg_info, leg by leg, until there are none.
func (a *acc) appendLegs(c *route.Ctx, b []byte) []byte {
	if len(a.legs) == 0 {
		return b
	}
	k := c.Kept()
	for n := 0; ; n++ {
		mark, found := len(b), false
		for i := range a.legs {
			key := a.legs[i].place.AVP(c)
			b = append(b, a.legs[i].name...)
			if at := k.Nth(route.AVPs, &key, false, n); at != 0 {
				found = true
				b = append(b, c.TextOf(k.Value(at))...)
			}
		}
		if !found || len(b) > lineBytes {
			return b[:mark]
		}
	}
}

func tag(m *parser.Message, kind parser.Kind) []byte {
	if a, reason := m.FromOrTo(kind); reason == parser.OK {
		return a.Tag.Of(m.Raw)
	}
	return nil
}

// phrases are those of RFC 3261 §21. A response made here is accounted with them, whatever phrase
// the script gave it (5.6.3).
var phrases = map[int]string{100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded",
	182: "Queued", 183: "Session Progress", 200: "OK", 202: "Accepted", 300: "Multiple Choices",
	301: "Moved Permanently", 302: "Moved Temporarily", 305: "Use Proxy",
	380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
	403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
	407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
	413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
	416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
	423: "Interval Too Brief", 480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here", 487: "Request Terminated",
	488: "Not Acceptable Here", 491: "Request Pending", 493: "Undecipherable",
	500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
	503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
	513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
	604: "Does Not Exist Anywhere", 606: "Not Acceptable"}
