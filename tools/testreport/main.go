// Command testreport reads the event stream of `go test -json` on its standard input and prints
// what a person wants to know: one line a package while the tests run, the output of each failed
// test, each skipped test with its reason, and last `N passed, N failed, N skipped`. It exits 1
// when anything failed, when a package could not be built, or when no test ran at all.
package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	r := newReport(out)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, maxLineBytes)
	for in.Scan() {
		r.line(in.Bytes())
		out.Flush() // a package's line shows when the package ends, not when all have
	}
	r.finish(in.Err())
	out.Flush()
	if !r.ok() {
		os.Exit(1)
	}
}

// maxLineBytes bounds one event: test2json splits output into lines, and no line of a test is this
// long.
const maxLineBytes = 16 << 20

// plural gives "1 test", "2 tests".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
