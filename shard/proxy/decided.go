package proxy

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// Decided shows what has been decided about a request so far, to a trace or a test. Its texts are
// those of the request, and valid as long as they are.
type Decided struct {
	Fr, FrInv    time.Duration // what SetFinalTimers was given; 0 means the settings hold
	Targets      int           // how many AppendBranch has added
	LastURI      []byte        // of the last of them; nil means the Request-URI
	LastQ        int           // the same, in thousandths; below 0 means none
	MaxForwards  int           // the new value; -1 means not decided yet
	RecordRoute  bool
	Chosen       bool   // a destination of a set was
	ShownHost    []byte // in our Via; nil means the listener's
	ShownPort    int    // the same; 0 means the listener's
	Path         []byte // our Path row; nil means none
	ReplyRows    []byte // for responses made here; nil means none
	RPort        bool   // our Via asks for rport
	Symmetric    bool   // responses go to the source
	Options      txn.StreamOptions
	ReplyOptions txn.StreamOptions
	Edits        []Edit
}

// Edit puts Text in the place of Old, a part of the message as it came.
type Edit struct {
	Old  parser.Span
	Text []byte
}

// Decided is what has been decided about the request so far.
func (r *Request) Decided() Decided {
	l := &r.leave
	d := Decided{
		Fr:      time.Duration(r.timers.fr) * time.Millisecond,
		FrInv:   time.Duration(r.timers.frInv) * time.Millisecond,
		Targets: r.nMore, LastQ: -1,
		MaxForwards: r.maxForwards, RecordRoute: r.rr.kind != notRecorded, Chosen: r.lastTarget != 0,
		ShownHost: l.host, ShownPort: int(l.port), Path: l.path, ReplyRows: l.reply, RPort: l.rport,
		Symmetric: r.symmetric,
		Options:   l.options, ReplyOptions: r.replyOptions, Edits: r.edits.list[:r.edits.n],
	}
	if n := r.nMore; n > 0 {
		d.LastURI, d.LastQ = r.more[n-1].uri, int(r.more[n-1].q)
	}
	return d
}

// Edits are the changes that Edit has noted.
func (p *Reply) Edits() []Edit { return p.edits.list[:p.edits.n] }
