package parser

// Header is one header row. All spans are offsets into the buffer given to Parse.
type Header struct {
	// the whole row: name to line end, CRLF and folded lines included. Cutting it removes the
	// header
	Line Span
	Name Span // as written, without the white space before the colon
	// without surrounding white space; folds inside are still there. Empty value: Len 0, Off where
	// a value would start
	Value Span

	Kind   Kind // what the name means; KindOther for a name unknown here
	Folded bool // the row goes on in further lines (RFC 3261 §7.3.1)
}

// Message is the index of one message. Declare one per worker and Parse into it again and
// again: nothing of the last message shows through, although little is cleared. See the package
// comment for the lifetime of what it returns. Not to be copied: Headers points into it.
type Message struct {
	Raw     []byte   // the buffer given to Parse, leading line ends included
	Headers []Header // the rows in order; valid until the next Parse

	StartLine  Span // the start line without its line end
	MethodName Span // request: the method as written
	URI        Span // request: the Request-URI as written
	Phrase     Span // response: the reason phrase, perhaps empty

	// offset of the first header row: the insertion point right behind the start line
	HeaderStart uint32
	HeaderEnd   uint32 // offset of the empty line: the insertion point behind the last header row
	BodyStart   uint32 // offset behind the empty line; len(Raw) if there is no empty line

	Status    uint16 // response: 100 to 699; 0 in a request or if malformed
	Method    Method // request: its method; MethodOther if unknown here. Response: MethodOther
	IsRequest bool   // false for a response, and if nothing is indexed

	// Control tells whether the start line or a header has a control character that RFC 3261 §25.1
	// has no place for: a CR or LF that is not part of a CRLF, or one that is neither HTAB nor
	// escaped in a quoted-string. Such a message is indexed all the same, an LF alone taken for a
	// line end; elements that read it otherwise see other headers. Who takes messages from others
	// refuses it.
	Control bool

	// seen and twice are sets of Kinds: met, met more than once. seen guards first,
	// which is therefore never cleared.
	seen, twice uint64
	first       [64]uint16 // by Kind: index of its first row

	// Parsed on first use. cached is a set of field bits; reasons holds their outcome.
	cached        uint8
	reasons       [numFields]Reason
	contentLength int
	maxForwards   int
	maxBreadth    int
	cseq          CSeq
	via           Via
	from, to      NameAddr
	requestURI    URI

	many  []Header // replaces few after the first message with more than InlineHeaders rows
	few   [InlineHeaders]Header
	lines lines // scratch of Parse
	_copy noCopy
}

// The fields parsed on first use.
const (
	fieldVia = iota
	fieldFrom
	fieldTo
	fieldCSeq
	fieldMaxForwards
	fieldMaxBreadth
	fieldContentLength
	fieldURI
	numFields
)

// noCopy makes go vet complain about a copied Message.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Bytes is the piece of the message that s names.
func (m *Message) Bytes(s Span) []byte { return s.Of(m.Raw) }

// FieldBody is what a header row has behind the colon and white space, up to its line end: its
// value with the blanks that stand behind it. An empty value has none.
func (m *Message) FieldBody(h *Header) Span {
	s := h.Value
	if s.Len == 0 {
		return s
	}
	end := h.Line.End()
	if end > s.End() && m.Raw[end-1] == '\n' {
		if end--; end > s.End() && m.Raw[end-1] == '\r' {
			end--
		}
	}
	s.Len = end - s.Off
	return s
}

// MethodBytes is the method as written in the request line; empty in a response.
func (m *Message) MethodBytes() []byte { return m.MethodName.Of(m.Raw) }

// First is the index in Headers of the first row of kind k. It returns -1 if there is none.
func (m *Message) First(k Kind) int {
	if !m.Has(k) {
		return -1
	}
	return int(m.first[k&63])
}

// Next is the index of the next row of the same kind as row i. It returns -1 if there is none. i is
// an index of Headers.
func (m *Message) Next(i int) int {
	k := m.Headers[i].Kind
	if !m.HasMany(k) {
		return -1
	}
	for i++; i < len(m.Headers); i++ {
		if m.Headers[i].Kind == k {
			return i
		}
	}
	return -1
}

// Has tells whether there is a row of kind k.
func (m *Message) Has(k Kind) bool { return m.seen>>(k&63)&1 != 0 }

// HasMany tells whether there are two or more rows of kind k.
func (m *Message) HasMany(k Kind) bool { return m.twice>>(k&63)&1 != 0 }

// ValueOf is the value of the first row of kind k. It returns nil if there is none, and
// what is empty but not nil if the value is.
func (m *Message) ValueOf(k Kind) []byte {
	i := m.First(k)
	if i < 0 {
		return nil
	}
	return m.Headers[i].Value.Of(m.Raw)
}

// HeaderByName is the index of the first row at or behind index from whose name is name (any case;
// compact and long form are the same name). It returns -1 if there is none.
func (m *Message) HeaderByName(name string, from int) int {
	kind := kindOfString(name)
	for i := max(from, 0); i < len(m.Headers); i++ {
		h := &m.Headers[i]
		if h.Kind != kind {
			continue
		}
		if kind != KindOther || equalFoldBoth(h.Name.Of(m.Raw), name) {
			return i
		}
	}
	return -1
}

// Body is what follows the empty line, trimmed to Content-Length when that is smaller
// (RFC 3261 §18.3: in a datagram the rest is noise). A Content-Length that is malformed or
// too large trims nothing; Check reports it.
func (m *Message) Body() []byte {
	end := len(m.Raw)
	n, r := m.ContentLength()
	if r == OK && n >= 0 && n < end-int(m.BodyStart) {
		end = int(m.BodyStart) + n
	}
	return m.Raw[m.BodyStart:end:end]
}
