package route

// complaints counts what a shard has logged about its program in the current second.
type complaints struct {
	second  int64
	n       int
	leftOut uint64 // not logged since LeftOut was last called
}

// Complain logs an error that any message may cause, at most complaintsPerSecond of them in a
// second. It counts the rest for LeftOut. Slow path.
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

// LeftOut returns the number of complaints that were not logged since the last call.
func (s *Shard) LeftOut() uint64 {
	n := s.complaints.leftOut
	s.complaints.leftOut = 0
	return n
}
