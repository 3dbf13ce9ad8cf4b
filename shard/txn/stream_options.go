package txn

// StreamOptions are what a message asks of the stream it leaves on. A datagram has no use for them.
type StreamOptions uint8

// The options.
const (
	// NoConnect makes the message leave on an existing connection, or not at all.
	NoConnect StreamOptions = 1 << iota
	// CloseAfter closes the connection once the message, and everything before it, is written.
	CloseAfter
	// GiveBack returns the message with its failure if its connection ends before the message is
	// written.
	GiveBack
)

// SetReplyOptions sets what the responses of tx ask of their stream. Only a final response closes
// it: closing after a 100 would keep the answer from getting through.
func (tx *Tx) SetReplyOptions(o StreamOptions) {
	tx.flags &^= txNoConnect | txCloseAfter
	if o&NoConnect != 0 {
		tx.flags |= txNoConnect
	}
	if o&CloseAfter != 0 {
		tx.flags |= txCloseAfter
	}
}

// ReplyOptions returns what SetReplyOptions was given.
func (tx *Tx) ReplyOptions() (o StreamOptions) {
	if tx.flags&txNoConnect != 0 {
		o |= NoConnect
	}
	if tx.flags&txCloseAfter != 0 {
		o |= CloseAfter
	}
	return o
}

// setReplyOptions tells the Sender the options of a response. Slow path: few programs set any.
func (t *Table) setReplyOptions(tx *Tx, status int) {
	o := tx.ReplyOptions()
	if status < 200 {
		o &^= CloseAfter
	}
	if o != 0 && tx.replyTo.Proto.Reliable() {
		t.out.SetStreamOptions(o, nil)
	}
}

// RespondBy is Respond through another listener and with further options. They are for this
// response alone: when it is sent again it leaves as usual.
func (t *Table) RespondBy(tx *Tx, listener int, o StreamOptions, status int,
	segments [][]byte) bool {
	was, options := tx.listener, tx.ReplyOptions()
	defer func() {
		tx.listener = was
		tx.SetReplyOptions(options)
	}()
	tx.listener = uint16(listener)
	tx.SetReplyOptions(options | o)
	return t.Respond(tx, status, segments)
}
