package route

// complaints are what a shard has said of its program in this second.
type complaints struct {
	second  int64
	n       int
	leftOut uint64 // since somebody asked
}

// Complain logs an error that any message may bring about: complaintsPerSecond of them, and counts
// the others. Slow path.
func (c *Ctx) Complain(line []byte) {
	l := &c.Shard.complaints
	if s := c.Now() / 1e9; s != l.second {
		l.second, l.n = s, 0
	}
	if l.n++; l.n > complaintsPerSecond {
		l.leftOut++
		return
	}
	c.Shard.Log.Log(logErr, line)
}

// LeftOut is how many complaints were not logged since it was asked last.
func (s *Shard) LeftOut() uint64 {
	n := s.complaints.leftOut
	s.complaints.leftOut = 0
	return n
}
