// Package sanity refuses requests that are no SIP: Kamailio's module sanity.
package sanity

import (
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// The checks without arguments (Kamailio 5.6). Of the message: SIP version (1) and scheme (2) of
// the Request-URI, required headers (4), CSeq method (32) and value (64), Content-Length (128),
// Expires (256), Proxy-Require (512), digest credentials (2048). Of URIs: Request-URI (1), From
// (2), To (4).
const (
	messageChecks = 3047
	uriChecks     = 7
)

// The greatest masks. With more, Kamailio's sanity_check() fails whatever it looks at.
const (
	maxMessage = 1<<15 - 1
	maxURIs    = 1<<4 - 1
)

// sanity is what a failed check has to know.
type sanity struct {
	drop, silent *bool
	last         *route.PerShard[*Fault] // of the run, nil where no check has failed
	forget       func(c *route.Ctx)
}

// Define is the module.
func Define(m *route.Module) {
	s := &sanity{last: route.NewPerShard[*Fault](m, nil)}
	s.forget = func(c *route.Ctx) { *s.last.Of(c) = nil }
	message := m.Int("default_checks", messageChecks, 0, maxMessage,
		"The checks of sanity_check without arguments.")
	uris := m.Int("uri_checks", uriChecks, 0, maxURIs,
		"1: Request-URI. 2: From. 4: To. 8: Contact.")
	tags := m.Text("proxy_require", "", "The option tags that Proxy-Require may ask for, "+
		"separated by commas. A request that asks for others is refused before the script runs.")
	s.drop = m.Bool("autodrop", true,
		"Whether a failed check ends the script and drops a response.")
	s.silent = m.Bool("noreply", false,
		"Whether sanity_check leaves the answer to sanity_reply.")
	m.Ready(func() error {
		for t := range strings.SplitSeq(*tags, ",") {
			if t = strings.TrimSpace(t); t != "" {
				set := &m.Settings().Proxy
				set.Extensions = append(set.Extensions, t)
			}
		}
		return nil
	})

	checks := route.OptionalVar(route.Int("checks", 1, maxMessage,
		"the checks to make"), message)
	inURIs := route.OptionalVar(route.Int("URI checks", 1, maxURIs, "the URIs to check"), uris)
	m.Func(route.Func{Name: "sanity_check", In: route.InRequest | route.InReplies,
		Args: []route.AnyArg{checks, inURIs},
		Doc: "Checks the message. If a check fails, a request is answered and the script ends; " +
			"with autodrop 0 it is false instead.",
		Build: func(b *route.Build) route.Call {
			x, ok1 := checks.At(b, 0)
			y, ok2 := inURIs.At(b, 1)
			if !ok1 || !ok2 {
				return nil
			}
			msg, known1 := x.Known()
			uri, known2 := y.Known()
			if known1 && known2 {
				m, u := uint32(msg), uint32(uri)
				return func(c *route.Ctx) route.Result {
					if f := Check(c, m, u); f != nil {
						return s.failed(c, f)
					}
					return 1
				}
			}
			return func(c *route.Ctx) route.Result {
				m, r := x.Get(c)
				if r <= 0 {
					return r
				}
				u, r := y.Get(c)
				if r <= 0 {
					return r
				}
				if f := Check(c, uint32(m), uint32(u)); f != nil {
					return s.failed(c, f)
				}
				return 1
			}
		}})
	route.Func0(m, "sanity_reply", route.InRequest|route.InReplies,
		"Answers with the status of the check that failed, or with 500 if none has. ACKs and "+
			"responses are not answered.",
		s.reply)
}

// failed does what the parameters say about a message that failed. A response is only looked at.
// Slow path.
//
//go:noinline
func (s *sanity) failed(c *route.Ctx, f *Fault) route.Result {
	if *s.last.Of(c) == nil {
		c.AtEnd(s.forget)
	}
	*s.last.Of(c) = f
	if c.Request != nil && !*s.silent {
		c.Answered(c.Request.Refuse(f.cause, f.phrase, ""))
	}
	if *s.drop {
		return c.Drop()
	}
	return -1
}

// reply is sanity_reply().
func (s *sanity) reply(c *route.Ctx) route.Result {
	if c.Request == nil {
		return -1
	}
	if c.Msg.Method == parser.ACK {
		return 1
	}
	if f := *s.last.Of(c); f != nil {
		return c.Answered(c.Request.Refuse(f.cause, f.phrase, ""))
	}
	return c.Answer(500, "Server Sanity Failure", route.Stateless)
}
