package proxy

import (
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// What Saved keeps of leaving and edits: numbers in its fixed part, texts in what is called extra
// there.

// textLen is how long the texts are that saveTexts writes.
func (d *decisions) textLen() int {
	l := &d.leave
	n := len(l.host) + len(l.path) + len(l.reply)
	for i := range d.edits.list[:d.edits.n] {
		n += len(d.edits.list[i].Text)
	}
	return n
}

// saveTexts writes leaving and edits into s, their texts behind b.
func (d *decisions) saveTexts(s *Saved, b []byte) []byte {
	l, e := &d.leave, &d.edits
	s.extraLen, s.hostLen, s.port, s.pathLen, s.nEdits = uint16(d.textLen()), uint16(len(l.host)), l.port, uint16(len(l.path)), uint8(e.n)
	s.rowsLen = uint16(len(l.reply))
	b = append(append(append(b, l.host...), l.path...), l.reply...)
	for i := range e.list[:e.n] {
		s.edits[i] = savedEdit{e.list[i].Old, uint32(len(e.list[i].Text))}
		b = append(b, e.list[i].Text...)
	}
	return b
}

// restore reads l back. The function text takes the next bytes.
func (l *leaving) restore(s *Saved, text func(n int, there bool) []byte) {
	l.forced, l.options, l.ignore, l.rport, l.port = int(s.forced), txn.StreamOptions(s.options), blocklist.Reason(s.ignore), s.bits&savedRPort != 0, s.port
	l.host, l.path = text(int(s.hostLen), s.hostLen > 0), text(int(s.pathLen), s.pathLen > 0)
	l.reply = text(int(s.rowsLen), s.rowsLen > 0)
}

// restore reads e back, behind leaving.
func (e *edits) restore(s *Saved, text func(n int, there bool) []byte) {
	e.n = int(s.nEdits)
	for i := range e.list[:e.n] {
		saved := &s.edits[i]
		e.list[i] = ContactEdit{saved.old, text(int(saved.textLen), true)}
	}
}
