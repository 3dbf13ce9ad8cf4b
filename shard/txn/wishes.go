package txn

// Wishes are what a message asks of the stream it leaves on. A datagram has no use for them.
type Wishes uint8

// The wishes.
const (
	NoConnect Wishes = 1 << iota // on a connection that there is, or not at all
	// the connection is closed once the message, and what was before it, is written
	CloseAfter
)

// Wisher is a Sender that takes Wishes: they are for the message begun next.
type Wisher interface{ Wish(w Wishes) }

// SetReplyWishes says what the responses of tx ask of their stream. Only a final one closes it:
// whoever hangs up after a 100 has kept the answer.
func (tx *Tx) SetReplyWishes(w Wishes) {
	tx.flags &^= txNoConnect | txCloseAfter
	if w&NoConnect != 0 {
		tx.flags |= txNoConnect
	}
	if w&CloseAfter != 0 {
		tx.flags |= txCloseAfter
	}
}

// ReplyWishes is what SetReplyWishes was given.
func (tx *Tx) ReplyWishes() (w Wishes) {
	if tx.flags&txNoConnect != 0 {
		w |= NoConnect
	}
	if tx.flags&txCloseAfter != 0 {
		w |= CloseAfter
	}
	return w
}

// wish tells the Sender about a response. Slow path: few programs ask for anything.
func (t *Table) wish(tx *Tx, status int) {
	w := tx.ReplyWishes()
	if status < 200 {
		w &^= CloseAfter
	}
	if out, ok := t.out.(Wisher); ok && w != 0 && tx.replyTo.Proto.Reliable() {
		out.Wish(w)
	}
}

// RespondBy is Respond through another listener and with further wishes, this once: what is sent
// again leaves as ever.
func (t *Table) RespondBy(tx *Tx, listener int, w Wishes, status int, segments [][]byte) bool {
	was, wishes := tx.listener, tx.ReplyWishes()
	defer func() {
		tx.listener = was
		tx.SetReplyWishes(wishes)
	}()
	tx.listener = uint16(listener)
	tx.SetReplyWishes(wishes | w)
	return t.Respond(tx, status, segments)
}
