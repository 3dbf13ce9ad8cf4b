package control

import (
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/valyala/bytebufferpool"

	"viaduct/shard/route/command/jsonrpc"
)

// httpCalls is how many commands that came over HTTP may be under way at once. Reached: 503.
const httpCalls = 16

// HTTPCalls answers requests of JSON-RPC 2.0 that are posted over HTTP.
type HTTPCalls struct {
	rpc    *RPC
	tokens *Tokens
	log    *Log
	slots  chan struct{}
}

// NewHTTPCalls makes a handler for the methods of an RPC. Without tokens everybody who reaches it
// may call what changes nothing, and nobody may call anything else.
func NewHTTPCalls(rpc *RPC, tokens *Tokens, log *Log) *HTTPCalls {
	return &HTTPCalls{rpc: rpc, tokens: tokens, log: log, slots: make(chan struct{}, httpCalls)}
}

// Local lets only requests pass that name a loopback address or localhost as their host, and come
// from no page of another site. A page that a browser of this host shows could otherwise reach us
// under a name of its own (DNS rebinding), or post to us.
func Local(h http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
		if !loopbackHost(q.Host) {
			http.Error(out, "the host must be localhost or a loopback address",
				http.StatusMisdirectedRequest)
			return
		}
		if from := q.Header.Get("Origin"); from != "" {
			if u, err := url.Parse(from); err != nil || u.Host != q.Host {
				http.Error(out, "pages of other sites may not ask", http.StatusForbidden)
				return
			}
		}
		h.ServeHTTP(out, q)
	})
}

func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

// role returns what a request may do. It returns false if it has a token that nobody was given.
func (h *HTTPCalls) role(q *http.Request) (Role, bool) {
	word, secret, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	switch {
	case h.tokens == nil:
		return Reader, true
	case !strings.EqualFold(word, "Bearer"):
		return NoRole, false
	}
	r := h.tokens.role([]byte(secret))
	return r, r != NoRole
}

func (h *HTTPCalls) ServeHTTP(out http.ResponseWriter, q *http.Request) {
	role, ok := h.role(q)
	if !ok {
		out.Header().Set("WWW-Authenticate", `Bearer realm="viaduct"`)
		http.Error(out, "send Authorization: Bearer TOKEN", http.StatusUnauthorized)
		return
	}
	if kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil ||
		kind != "application/json" {
		http.Error(out, "send Content-Type: application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, q.Body, MaxCommandBytes))
	if err != nil {
		http.Error(out, "the request is too long, or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		out.Header().Set("Retry-After", "1")
		http.Error(out, "too many commands are under way", http.StatusServiceUnavailable)
		return
	}
	status, answer := h.answer(body, role)
	out.Header().Set("Content-Type", "application/json")
	out.Header().Set("Cache-Control", "no-store")
	out.WriteHeader(status)
	_, _ = out.Write(answer) // its end is the client's affair
}

// answer runs a request and returns the HTTP status and the document of its answer.
func (h *HTTPCalls) answer(body []byte, role Role) (status int, doc []byte) {
	in, ok := jsonrpc.Parse(body)
	var result any
	f := &Fault{Code: 400}
	switch {
	case !ok:
		in, f.Message = &jsonrpc.Request{}, "the body is no JSON"
	case in.Wrong != "":
		f.Message = in.Wrong
	case role < h.rpc.needs(in.Method):
		f = Faultf(403, "%s may change something: it needs a token of role write", in.Method)
	default:
		f = nil
		v, err := h.rpc.guarded(in.Method, in.Words, h.log)
		if result = v; err != nil {
			f = fault(err)
		}
	}
	id := in.ID
	if id == nil {
		id = json.RawMessage("null")
	}
	status = http.StatusOK
	var a any = struct {
		Version string          `json:"jsonrpc"`
		Result  any             `json:"result"`
		ID      json.RawMessage `json:"id"`
	}{"2.0", result, id}
	if f != nil {
		if status = f.Code; status < 400 || status > 599 {
			status = http.StatusInternalServerError
		}
		a = struct {
			Version string          `json:"jsonrpc"`
			Error   *Fault          `json:"error"`
			ID      json.RawMessage `json:"id"`
		}{"2.0", f, id}
	}
	var b bytebufferpool.ByteBuffer
	writeJSON(&b, a)
	return status, b.B
}
