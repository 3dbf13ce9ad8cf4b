package syntax

// Limits of this package. Each says what happens when it is reached.
const (
	// maxIncludeDepth is how deep include_file may nest (Kamailio 5.6 manual: 10). Beyond: load
	// error.
	maxIncludeDepth = 10
	// maxMacroDepth is how deep defines may expand into each other. Beyond: load error. A define
	// never expands within itself.
	maxMacroDepth = 32
	// maxNesting is how deep blocks and parentheses may be nested, so that no file can exhaust the
	// stack of the parser. Beyond: load error.
	maxNesting = 200
	// maxErrors ends a load early, since nobody reads the hundred-and-first message. Beyond: one
	// line says so.
	maxErrors = 100
	// maxFileBytes is the largest configuration. Includes and defines count each time they are
	// read, and the results of #!subst, #!defexp and $def() each time they are made. Beyond: load
	// error, and nothing more is read.
	maxFileBytes = 16 << 20
	// maxSubstWork bounds the work of all #!subst together: bytes of strings, times the
	// instructions of the pattern, 4 s at most. A hundred patterns of words with 8 letters each,
	// over 300 KB of strings, take half of it. Beyond: load error, and nothing more is read.
	maxSubstWork = 1 << 29
	// maxSubstMatches is how often one pattern may match in one string, and maxSubstGroups how many
	// groups it may have, so that the places of all matches fit into 100 MB. Beyond: load error.
	maxSubstMatches = 1 << 16
	maxSubstGroups  = 99
	// maxWarnings is how many warnings are listed. Beyond: one line says so.
	maxWarnings = 1000
)
