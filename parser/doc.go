// Package parser is step 2 of a packet's way through Viaduct: netio hands it the
// bytes of one message, it gives them a shape. It writes down where things
// are (offsets into the datagram) and copies, changes and allocates nothing.
//
// # Two questions
//
// Parse asks whether the bytes have the form of a SIP message: a start line,
// header lines, an empty line. Check asks what RFC 3261 §16.3 step 1 asks
// of a proxy: are the fields that forwarding needs present, single and well
// formed? Everything else in the message is nobody's business here and passes
// untouched. Both answer with a Reason, which names the field.
//
// Control tells of control characters that have no place in a message. Parse sees them without
// looking for them (lines.go); what becomes of such a message is its reader's decision.
//
// A message that fails either question stays usable: the indices that exist can be
// read, so that a response can be built from its Via, From, To, Call-ID and CSeq.
//
// # Two ways
//
// Ordinary messages take a short way: one look at 64 bytes at a time says where lines and words end
// (lines.go), and a field of the usual form is cut at those ends (the functions with "plain" in
// their names). What is of another form, and everything on a machine without AVX2, takes the long
// way, which knows the whole grammar. Both give the same; the fuzz tests hold them against each
// other and against a third reader made of regular expressions.
//
// # Ownership
//
// A Message keeps the buffer given to Parse by reference until the next Parse. Every
// []byte it returns is a view of that buffer, capped, valid as long as
// the buffer is. A Message is used by one goroutine at a time and reused without
// being cleared: that is the point of it, since clearing its header array costs
// more than indexing a message.
//
// # When not to use it
//
// To change a message: plan edits on spans and send the pieces (shard/proxy).
// To read a body: SDP is not looked at. To validate a message for a user agent:
// only what a proxy needs is checked.
package parser
