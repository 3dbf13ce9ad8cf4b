package parser

// lineEnds sets set[k] to the LFs in b[64*k:64*k+64] for k < blocks, bit j for byte j. b has 64*blocks bytes, and
// blocks is 1 to lineBlocks: nothing is checked. SSE2, which every amd64 has.
//
// Receipt: see BenchmarkLineEnds.
//
//go:noescape
func lineEnds(b []byte, set *[lineBlocks]uint64, blocks int)
