package parser

// A Span is a piece of the buffer given to Parse (or to ParseURI): Len bytes
// from offset Off. The zero Span means "absent" where a field can be absent.
// Offsets are 32 bits wide: a datagram needs 16, a stream message (up to MaxMessageBytes)
// needs 20, and 16-bit pairs were not faster (both are one store).
type Span struct {
	Off uint32 // first byte, from the start of the buffer
	Len uint32 // bytes
}

// End is the offset of the first byte behind s.
func (s Span) End() uint32 { return s.Off + s.Len }

// Empty tells whether s has no bytes.
func (s Span) Empty() bool { return s.Len == 0 }

// Of is the piece of b that s names, capped so that an append cannot run into
// what follows. b must be the buffer s was made from.
func (s Span) Of(b []byte) []byte { return b[s.Off : s.Off+s.Len : s.Off+s.Len] }

// span makes the Span from i (included) to j (excluded).
func span(i, j int) Span { return Span{Off: uint32(i), Len: uint32(j - i)} }
