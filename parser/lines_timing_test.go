package parser

import "testing"

// BenchmarkLineEnds: the receipt of the assembly.
func BenchmarkLineEnds(b *testing.B) {
	var set [lineBlocks]uint64
	b.Run("assembly", func(b *testing.B) {
		b.SetBytes(lineBlocks * blockBytes)
		for b.Loop() {
			if lineEnds(inviteSDP, &set, lineBlocks); set[0]&(1<<52) == 0 {
				b.Fatalf("%x", set)
			}
		}
	})
	b.Run("go", func(b *testing.B) {
		b.SetBytes(lineBlocks * blockBytes)
		for b.Loop() {
			if lineEndsGo(inviteSDP, &set, lineBlocks); set[0]&(1<<52) == 0 {
				b.Fatalf("%x", set)
			}
		}
	})
}

// BenchmarkFindLines is lineEnds with the listing of the members.
func BenchmarkFindLines(b *testing.B) {
	var l lines
	for b.Loop() {
		if n, _ := l.find(inviteSDP, 53); n < 12 {
			b.Fatal(n)
		}
	}
}

func BenchmarkStartLine(b *testing.B) {
	var m Message
	for b.Loop() {
		if n, r := m.parseStartLine(inviteSDP, 0); n != 53 || r != OK {
			b.Fatal(n, r)
		}
	}
}
