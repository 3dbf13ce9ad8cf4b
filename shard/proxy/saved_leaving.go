package proxy

import "viaduct/shard/txn"

// What Saved keeps of leaving: numbers in its fixed part, texts in what is called extra there.

// textLen is how long the texts are that save writes.
func (l *leaving) textLen() int {
	n := len(l.host) + len(l.path) + len(l.reply)
	for i := range l.list[:l.n] {
		n += len(l.list[i].text)
	}
	return n
}

// save writes l into s, its texts behind b.
func (l *leaving) save(s *Saved, b []byte) []byte {
	s.extraLen, s.hostLen, s.port, s.pathLen, s.nEdits = uint16(l.textLen()), uint16(len(l.host)), l.port, uint16(len(l.path)), uint8(l.n)
	s.rowsLen = uint16(len(l.reply))
	b = append(append(append(b, l.host...), l.path...), l.reply...)
	for i := range l.list[:l.n] {
		e := &l.list[i]
		s.edits[i] = savedEdit{e.old, uint32(len(e.text))}
		b = append(b, e.text...)
	}
	return b
}

// restore reads it back; text takes the next bytes.
func (l *leaving) restore(s *Saved, text func(n int, there bool) []byte) {
	l.forced, l.wishes, l.ignore, l.rport, l.port = int(s.forced), txn.Wishes(s.wishes), s.ignore, s.bits&savedRPort != 0, s.port
	l.host, l.path = text(int(s.hostLen), s.hostLen > 0), text(int(s.pathLen), s.pathLen > 0)
	l.reply = text(int(s.rowsLen), s.rowsLen > 0)
	l.n = int(s.nEdits)
	for i := range l.list[:l.n] {
		e := &s.edits[i]
		l.list[i] = contactEdit{e.old, text(int(e.textLen), true)}
	}
}
