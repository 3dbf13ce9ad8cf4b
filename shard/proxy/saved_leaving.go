package proxy

import (
	"encoding/binary"

	"viaduct/parser"
	"viaduct/shard/blocklist"
	"viaduct/shard/txn"
)

// What Saved keeps of leaving and edits: numbers in its fixed part, texts in what is called extra
// there.

// savedEditBytes is what each edit takes before the texts: place, what goes, and how long the text
// is, of 32 bits each, little endian.
const savedEditBytes = 12

// textLen is how long the texts are that saveTexts writes.
func (d *decisions) textLen() int {
	l := &d.leave
	n := len(l.host) + len(l.path) + len(l.reply) + d.edits.n*savedEditBytes
	for i := range d.edits.list[:d.edits.n] {
		n += len(d.edits.list[i].Text)
	}
	return n
}

// saveTexts writes leaving and edits into s, their texts behind b.
func (d *decisions) saveTexts(s *Saved, b []byte) []byte {
	l, made := &d.leave, d.edits.list[:d.edits.n]
	s.extraLen, s.hostLen, s.port, s.pathLen, s.nEdits = uint32(d.textLen()), uint16(len(l.host)), l.port, uint16(len(l.path)), uint8(len(made))
	s.rowsLen = uint16(len(l.reply))
	b = append(append(append(b, l.host...), l.path...), l.reply...)
	for i := range made {
		e := &made[i]
		b = binary.LittleEndian.AppendUint32(b, e.Old.Off)
		b = binary.LittleEndian.AppendUint32(b, e.Old.Len)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Text)))
	}
	for i := range made {
		b = append(b, made[i].Text...)
	}
	return b
}

// restore reads l back. The function text takes the next bytes.
func (l *leaving) restore(s *Saved, text func(n int, there bool) []byte) {
	l.forced, l.options, l.ignore, l.rport, l.port = int(s.forced), txn.StreamOptions(s.options), blocklist.Reason(s.ignore), s.bits&savedRPort != 0, s.port
	l.host, l.path = text(int(s.hostLen), s.hostLen > 0), text(int(s.pathLen), s.pathLen > 0)
	l.reply = text(int(s.rowsLen), s.rowsLen > 0)
}

// restore reads e back, behind leaving: the edits of the message m.
func (e *edits) restore(s *Saved, m *parser.Message, text func(n int, there bool) []byte) {
	e.n, e.body = int(s.nEdits), false
	head := text(e.n*savedEditBytes, true)
	for i := range e.list[:e.n] {
		at := head[i*savedEditBytes:]
		old := parser.Span{Off: binary.LittleEndian.Uint32(at), Len: binary.LittleEndian.Uint32(at[4:])}
		e.list[i] = Edit{old, text(int(binary.LittleEndian.Uint32(at[8:])), true)}
		e.body = e.body || old.Off >= m.BodyStart
	}
}
