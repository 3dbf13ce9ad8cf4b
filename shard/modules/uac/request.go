package uac

import (
	"bytes"
	"encoding/binary"

	"viaduct/shard/proxy"
	"viaduct/shard/route"
)

// A script sends a request of its own: it fills $uac_req and calls uac_req_send(). What comes of it
// runs event_route[uac:reply], in which $uac_req is that of the request again.

// field is a part of $uac_req.
type field uint8

const (
	method field = iota
	ruri
	turi
	furi
	ouri
	sock
	callID
	authUser
	authPassword
	evParam
	keptFields // those before it come back with the outcome
	headers    = keptFields
	body       = keptFields + 1
	numFields  = keptFields + 2
)

// number is a part that is a number.
type number uint8

const (
	evRoute number = iota
	evType
	evCode
	numNumbers
)

// The values of $uac_req(evroute) and $uac_req(evtype).
const (
	onAnyFinal = 1 // the event is raised with each final response
	onFailure  = 2 // with one of 300 or more

	received = 1
	madeHere = 2
)

// form is $uac_req on one shard. It is empty when a run begins: what Kamailio's worker processes
// leave in it from message to message depends on which of them a message meets.
type form struct {
	texts   [numFields][]byte
	set     [numFields]bool
	numbers [numNumbers]int64
	armed   bool   // it will be emptied at the end of the run
	text    []byte // of the request that is built
	note    []byte
}

func (f *form) reset() {
	f.set, f.numbers = [numFields]bool{}, [numNumbers]int64{}
}

// get is a part; nil if it is not set.
func (f *form) get(x field) []byte {
	if !f.set[x] {
		return nil
	}
	return f.texts[x]
}

func (f *form) put(x field, s []byte) {
	f.texts[x], f.set[x] = append(f.texts[x][:0], s...), true
}

// requests is the part of the module that sends.
type requests struct {
	forms      *route.PerShard[form]
	sender     *route.Sender
	reply      *route.Event
	socket     *string
	userAgent  func() string
	sent, lost *route.Counter
}

func (u *requests) define(m *route.Module) {
	u.socket = m.Text("default_socket", "",
		"proto:host:port of the listener for requests that name none in $uac_req(sock).")
	m.IdleText("there are no scripts in other languages", "event_callback")
	u.userAgent = m.Settings().UserAgent
	u.sent = m.Count("sent_requests", "Requests that uac_req_send() has sent.")
	u.lost = m.Count("refused_requests", "Requests that uac_req_send() could not send.")
	u.forms = route.NewPerShard(m, func(int) *form { return &form{} })
	u.sender = m.Sender("uac", u.finished)
	u.reply = m.Event("uac:reply", "The final response to a request of uac_req_send() was "+
		"received, or did not come in time, and $uac_req(evroute) asked for the event. The "+
		"message is the response, or a made-up OPTIONS if there is none.").Also(route.InReply)
	u.variable(m)
	route.Func0(m, "uac_req_send", route.Anywhere,
		"Sends the request that $uac_req describes. False: method or ruri is missing, the request "+
			"would not be valid, or it cannot be sent.",
		func(c *route.Ctx) route.Result {
			f := u.forms.Of(c)
			if !u.send(c, f) {
				u.lost.Add(c)
				return -1
			}
			u.sent.Add(c)
			return 1
		})
}

// of is the form, which is emptied when the run ends.
func (u *requests) of(c *route.Ctx) *form {
	f := u.forms.Of(c)
	if !f.armed {
		f.armed = true
		c.AtEnd(u.empty)
	}
	return f
}

func (u *requests) empty(c *route.Ctx) {
	f := u.forms.Of(c)
	f.armed = false
	f.reset()
}

var textParts = map[string]field{"method": method, "ruri": ruri, "turi": turi, "furi": furi,
	"ouri": ouri, "sock": sock, "callid": callID, "auser": authUser, "apasswd": authPassword,
	"evparam": evParam, "hdrs": headers, "body": body}

var numberParts = map[string]number{"evroute": evRoute, "evtype": evType, "evcode": evCode}

func (u *requests) variable(m *route.Module) {
	m.Var(route.Var{Name: "uac_req", Inner: "PART", Doc: "The request of uac_req_send(): method, " +
		"ruri, furi and turi (From and To, without them ruri), ouri (where it goes), sock, callid, " +
		"hdrs, body, auser and apasswd (to answer a challenge), evroute (1: event_route[uac:reply] " +
		"hears of the final response; 2: of one that is no 2xx) and evparam, for that. There evcode " +
		"is the status and evtype 1 for a response that came, 2 for none. all = $null empties it. " +
		"It is empty when a run begins.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			if x, ok := textParts[inner]; ok {
				return u.textPart(x)
			}
			if x, ok := numberParts[inner]; ok {
				return u.numberPart(x)
			}
			if inner == "all" {
				return route.Place{NoRoom: true,
					Any: func(*route.Ctx) route.Value { return route.Null },
					Set: func(c *route.Ctx, v route.Value) route.SetResult {
						if !v.IsNull() {
							return route.SetRefused
						}
						u.of(c).reset()
						return route.SetDone
					}}
			}
			var names []string
			for n := range textParts {
				names = append(names, n)
			}
			for n := range numberParts {
				names = append(names, n)
			}
			b.Errorf("there is no $uac_req(%s)%s", inner, route.DidYouMean(inner, names))
			return route.Place{}
		}})
}

func (u *requests) textPart(x field) route.Place {
	return route.Place{NoRoom: true,
		Text: func(c *route.Ctx) ([]byte, bool) {
			f := u.forms.Of(c)
			return f.texts[x], f.set[x]
		},
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			f := u.of(c)
			switch {
			case v.IsNull():
				f.set[x] = false
			case !v.IsText() || len(v.S) > maxPart[x] || x == sock && c.ListenerAt(v.S) < 0 ||
				x != headers && x != body && bytes.ContainsAny(v.S, "\r\n"):
				return route.SetRefused
			default:
				f.put(x, v.S)
			}
			return route.SetDone
		}}
}

func (u *requests) numberPart(x number) route.Place {
	return route.Place{NoRoom: true,
		Int: func(c *route.Ctx) (int64, bool) { return u.forms.Of(c).numbers[x], true },
		Set: func(c *route.Ctx, v route.Value) route.SetResult {
			switch {
			case v.IsNull():
				u.of(c).numbers[x] = 0
			case v.IsInt():
				u.of(c).numbers[x] = v.Int()
			default:
				return route.SetRefused
			}
			return route.SetDone
		}}
}

// send sends what the form describes.
func (u *requests) send(c *route.Ctx, f *form) bool {
	if len(f.get(method)) == 0 || len(f.get(ruri)) == 0 {
		return false
	}
	return f.build(c, u.userAgent()) && u.dispatch(c, f, f.text, 0)
}

// dispatch sends a request that is built. tries is how often it was sent with credentials.
func (u *requests) dispatch(c *route.Ctx, f *form, text []byte, tries byte) bool {
	x := route.Sending{Text: text, Dst: f.get(ouri), By: -1}
	if s := f.get(sock); s != nil {
		x.By = c.ListenerAt(s)
	} else if *u.socket != "" {
		x.By = c.ListenerAt([]byte(*u.socket))
	}
	f.note = f.appendNote(f.note[:0], tries)
	x.Note = f.note
	return u.sender.Send(c, &x)
}

// appendNote writes what the outcome needs of the form.
func (f *form) appendNote(b []byte, tries byte) []byte {
	b = append(b, tries)
	b = binary.AppendVarint(b, f.numbers[evRoute])
	for x := range keptFields {
		if !f.set[x] {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(f.texts[x]))+1)
		b = append(b, f.texts[x]...)
	}
	return b
}

// readNote fills the form with it. It returns false if that is not what b is.
func (f *form) readNote(b []byte) (tries byte, ok bool) {
	f.reset()
	if len(b) == 0 {
		return 0, false
	}
	tries, b = b[0], b[1:]
	n, size := binary.Varint(b)
	if size <= 0 {
		return 0, false
	}
	f.numbers[evRoute], b = n, b[size:]
	for x := range keptFields {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size)+1 {
			return 0, false
		}
		if b = b[size:]; n > 0 {
			f.put(x, b[:n-1])
			b = b[n-1:]
		}
	}
	return tries, true
}

// finished hears what became of a request: the event first, then the answer to a challenge.
func (u *requests) finished(c *route.Ctx, out *proxy.Finished) {
	f := u.forms.Of(c)
	tries, ok := f.readNote(out.Note)
	if !ok {
		return
	}
	defer f.reset()
	if r := f.numbers[evRoute]; r == onAnyFinal || r == onFailure && out.Code >= 300 {
		f.numbers[evCode], f.numbers[evType] = int64(out.Code), received
		if out.M == nil {
			f.numbers[evType] = madeHere
		}
		u.reply.RaiseFinished(c, out)
		f.readNote(out.Note) // whatever the route has set
	}
	if tries > 0 || out.M == nil || out.Request == nil || out.Code != 401 && out.Code != 407 {
		return
	}
	if text := f.authorized(out); text != nil && !u.dispatch(c, f, text, tries+1) {
		u.lost.Add(c)
	}
}
