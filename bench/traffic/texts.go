package traffic

import (
	"fmt"
	"strconv"
)

// texts is everything written before the first call.
type texts struct {
	invite, cancel, ackFailure, options [][]template // by caller, by target
	// by caller: what follows the Request-URI of ACK and BYE
	dialog     []template
	inviteBody []string // by caller
	target     []string
	answerer   []answererTexts
}

type answererTexts struct {
	uri     string // its Contact
	empty   string // Contact and the end of a response without a body
	session string // Contact, the end of the headers, SDP
	body    string // SDP
}

const emptyEnd = "Content-Length: 0\r\n\r\n"

func (t *texts) write(cfg *Config, callers, answerers []*socket) {
	for _, a := range answerers {
		uri := cfg.Transport.URI("bob", a.local)
		contact := "Contact: <" + uri + ">\r\n"
		body := sdp(a.local.Addr().String(), a.local.Port())
		t.answerer = append(t.answerer, answererTexts{
			uri: uri, empty: contact + emptyEnd, body: body,
			session: contact + "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n" +
				"Content-Type: application/sdp\r\nContent-Length: " + strconv.Itoa(len(body)) +
				"\r\n\r\n" + body,
		})
	}
	t.target = cfg.Targets
	if len(t.target) == 0 {
		for _, a := range t.answerer {
			t.target = append(t.target, a.uri)
		}
	}
	for _, s := range callers {
		y := style{s.local, cfg.Transport, cfg.RPort}
		var invite, cancel, ackFailure, options []template
		for _, target := range t.target {
			invite = append(invite, newTemplate(y.inviteText(target)))
			cancel = append(cancel, newTemplate(y.cancelText(target)))
			ackFailure = append(ackFailure, newTemplate(y.ackFailureText(target)))
			to := target
			if cfg.Path == Proxy {
				// asks the server itself, as a neighbour's keepalive does
				to = fmt.Sprintf("sip:%s%s", cfg.Server, cfg.Transport.parameter())
			}
			options = append(options, newTemplate(y.optionsText(to)))
		}
		t.invite, t.cancel = append(t.invite, invite), append(t.cancel, cancel)
		t.ackFailure, t.options = append(t.ackFailure, ackFailure), append(t.options, options)
		t.dialog = append(t.dialog, newTemplate(y.dialogTop()))
		t.inviteBody = append(t.inviteBody, sdp(s.local.Addr().String(), s.local.Port()))
	}
}
