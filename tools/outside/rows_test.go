package outside

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// conformance is the document whose table of rows says which tests show what.
const conformance = "../../docs/conformance.md"

// mustHave are the rows that the table must have.
func mustHave() (rows []int) {
	for n := 1; n <= 70; n++ {
		rows = append(rows, n)
	}
	return append(rows, 81, 87, 88, 89, 96, 98, 99, 100)
}

var (
	rowTest   = regexp.MustCompile(`(?m)^func (TestRow\w+)\(t \*testing\.T\)`)
	rowNumber = regexp.MustCompile(`Row(\d+)`)
	rowLine   = regexp.MustCompile(`^\| (\d+) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$`)
	testName  = regexp.MustCompile("`(Test\\w+)`")
)

// numbersOf are the rows in a test's name.
func numbersOf(test string) (rows []int) {
	for _, m := range rowNumber.FindAllStringSubmatch(test, -1) {
		n, _ := strconv.Atoi(m[1])
		rows = append(rows, n)
	}
	return rows
}

// checkRows compares the table in a document with the tests there are, and gives what is wrong.
func checkRows(doc string, tests []string, must []int) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	seen := map[int]bool{}
	named := map[string][]int{}
	for _, line := range strings.Split(doc, "\n") {
		m := rowLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		row, _ := strconv.Atoi(m[1])
		if seen[row] {
			bad("row %d stands twice in the table", row)
		}
		seen[row] = true
		state, reason, _ := strings.Cut(strings.TrimSpace(m[4]), ": ")
		shown := testName.FindAllStringSubmatch(m[3], -1)
		for _, s := range shown {
			named[s[1]] = append(named[s[1]], row)
			switch {
			case !slices.Contains(tests, s[1]):
				bad("row %d names %s, which is no test", row, s[1])
			case !slices.Contains(numbersOf(s[1]), row):
				bad("row %d names %s, which is a test of other rows by its name", row, s[1])
			}
		}
		switch {
		case state == "met" && reason == "", state == "met in part" && reason != "":
			if len(shown) == 0 {
				bad("row %d is %q, and no test shows it", row, state)
			}
		case state == "not yet met" && reason != "":
			if len(shown) > 0 {
				bad("row %d is not yet met, and names tests", row)
			}
		default:
			bad("row %d: the state is %q; write \"met\", \"met in part: what is not\" or \"not yet met: why\"", row,
				m[4])
		}
	}
	for _, row := range must {
		if !seen[row] {
			bad("row %d is missing from the table", row)
		}
	}
	for _, test := range tests {
		for _, row := range numbersOf(test) {
			if !slices.Contains(named[test], row) {
				bad("%s is not named by row %d", test, row)
			}
		}
	}
	return wrong
}

// The table of docs/conformance.md and the tests of this package are in step.
func TestRowsTable(t *testing.T) {
	doc, err := os.ReadFile(conformance)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rowTest.FindAllStringSubmatch(string(b), -1) {
			tests = append(tests, m[1])
		}
	}
	if len(tests) < 40 {
		t.Fatalf("only %d tests of rows found", len(tests))
	}
	for _, w := range checkRows(string(doc), tests, mustHave()) {
		t.Errorf("%s: %s", filepath.Base(conformance), w)
	}
}

// The comparison must notice.
func TestRowsTableIsJudged(t *testing.T) {
	tests := []string{"TestRow01A", "TestRow02Row03B"}
	const good = "| 1 | x | `TestRow01A` | met |\n| 2 | x | `TestRow02Row03B` | met in part: y |\n" +
		"| 3 | x | `TestRow02Row03B` | met |\n| 4 | x | – | not yet met: y |\n"
	f := func(old, new, want string) {
		t.Helper()
		got := checkRows(strings.Replace(good, old, new, 1), tests, []int{1, 2, 3, 4})
		if len(got) == 0 && want != "" || len(got) > 0 && want == "" ||
			!strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%q in the place of %q: %q, want %q", new, old, got, want)
		}
	}
	f("", "", "")
	f("| 4 | x | – | not yet met: y |\n", "", "row 4 is missing")
	f("not yet met: y", "not yet met", "row 4: the state")
	f("met in part: y", "met in part", "row 2: the state")
	f("`TestRow01A` | met", "– | met", "row 1 is \"met\", and no test")
	f("`TestRow01A`", "`TestRow01X`", "which is no test")
	f("`TestRow01A`", "`TestRow01A`, `TestRow02Row03B`", "of other rows")
	f("| 3 | x | `TestRow02Row03B` | met |", "| 3 | x | – | not yet met: y |", "TestRow02Row03B is not named by row 3")
	f("| 4 |", "| 1 |", "stands twice")
	f("– | not yet met", "`TestRow01A` | not yet met", "names tests")
}
