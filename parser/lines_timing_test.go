package parser

import "testing"

// BenchmarkLines: the receipt of the assembly. One run is the header section of inviteSDP.
func BenchmarkLines(b *testing.B) {
	var l lines
	count := func(b *testing.B) {
		b.SetBytes(int64(len(inviteSDP)))
		for b.Loop() {
			if l.first(inviteSDP, 0); l.n < 13 {
				b.Fatal(l.n)
			}
		}
	}
	had := hasPlain
	b.Run("assembly", count)
	if setPlain(false) {
		b.Run("go", count)
		setPlain(had)
	}
}

func BenchmarkStartLine(b *testing.B) {
	var m Message
	for b.Loop() {
		if n, r := m.parseStartLine(inviteSDP, 0, 52); n != 53 || r != OK {
			b.Fatal(n, r)
		}
	}
}
