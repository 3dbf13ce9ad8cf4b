package proxy

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/txn"
)

// Decided shows what has been decided about a request so far, to a trace or a test. Its texts are
// views of the request's, and valid as long as those.
type Decided struct {
	Fr, FrInv    time.Duration // as given to SetFinalTimers; 0 means the settings
	Targets      int           // number of targets that AppendBranch added
	LastURI      []byte        // of the last target added; nil means the Request-URI
	LastQ        int           // of the last target added, in thousandths; below 0 means none
	MaxForwards  int           // the new value; -1 means not decided yet
	RecordRoute  bool
	Chosen       bool   // a destination of a set was chosen
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

// Edit replaces Old, a part of the message as it came, by Text.
type Edit struct {
	Old  parser.Span
	Text []byte
}

// Decided returns what has been decided about the request so far.
func (r *Request) Decided() Decided {
	l := &r.leave
	d := Decided{
		Fr:      time.Duration(r.timers.fr) * time.Millisecond,
		FrInv:   time.Duration(r.timers.frInv) * time.Millisecond,
		Targets: r.nMore, LastQ: -1,
		MaxForwards: r.maxForwards, RecordRoute: r.rr.kind != notRecorded, Chosen: r.lastTarget != 0,
		ShownHost: l.host, ShownPort: int(l.port),
		Path: r.core.appendPaths(nil, l.path, r.Listener, r.Listener), ReplyRows: l.reply, RPort: l.rport,
		Symmetric: r.symmetric,
		Options:   l.options, ReplyOptions: r.replyOptions, Edits: r.edits.list[:r.edits.n],
	}
	if n := r.nMore; n > 0 {
		d.LastURI, d.LastQ = r.more[n-1].uri, int(r.more[n-1].q)
	}
	return d
}

// Edits returns the changes that Edit has noted, a view.
func (p *Reply) Edits() []Edit { return p.edits.list[:p.edits.n] }

// FurtherTargets returns how many targets have been added to the request's own: Decided().Targets,
// without what that copies.
func (r *Request) FurtherTargets() int { return r.nMore }
