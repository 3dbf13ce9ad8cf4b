package syntax

// Limits of this package. Each says what happens when it is reached.
const (
	// maxIncludeDepth is how deep include_file may nest (Kamailio 5.6 manual: 10). Beyond: load
	// error.
	maxIncludeDepth = 10
	// maxMacroDepth is how deep defines may expand into each other. Beyond: load error; a define
	// never expands inside itself.
	maxMacroDepth = 32
	// maxNesting is how deep blocks and parentheses may nest, so that no file can exhaust the stack
	// of the parser. Beyond: load error.
	maxNesting = 200
	// maxErrors ends a load early: nobody reads the hundred-and-first message. Beyond: one line
	// says so.
	maxErrors = 100
	// maxFileBytes is the largest configuration file, includes and defines counted as often as they
	// are read. Beyond: load error.
	maxFileBytes = 16 << 20
)
