package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// documents are the texts for readers: README.md and everything in docs.
func documents(t *testing.T) []string {
	var docs []string
	for _, path := range files(t) {
		if path == "README.md" || path == "BENCHMARKS.md" ||
			strings.HasPrefix(path, "docs/") && strings.HasSuffix(path, ".md") {
			docs = append(docs, path)
		}
	}
	if len(docs) < 3 {
		t.Fatalf("only %q found", docs)
	}
	return docs
}

var (
	makeRule    = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	makeTold    = regexp.MustCompile(`(?m)^([a-z][a-z-]*):.*## \S`)
	makeCommand = regexp.MustCompile("(?m)(?:^\\s*|`|&& )make ([a-z][a-z-]*)\\b")
)

func TestMakeTargets(t *testing.T) {
	makefile := read(t, "Makefile")
	var rules, told []string
	for _, m := range makeRule.FindAllStringSubmatch(makefile, -1) {
		rules = append(rules, m[1])
	}
	for _, m := range makeTold.FindAllStringSubmatch(makefile, -1) {
		told = append(told, m[1])
	}
	for _, r := range rules {
		if !slices.Contains(told, r) {
			t.Errorf("Makefile: target %s has no ## comment, so `make` alone does not list it", r)
		}
	}
	for _, must := range []string{"run", "build", "test", "check", "bench", "demo", "fuzz", "soak", "clean",
		"install"} {
		if !slices.Contains(rules, must) {
			t.Errorf("Makefile: target %s is gone", must)
		}
	}
	used := 0
	for _, doc := range documents(t) {
		for _, m := range makeCommand.FindAllStringSubmatch(read(t, doc), -1) {
			used++
			if !slices.Contains(rules, m[1]) {
				t.Errorf("%s says `make %s`, which is no target of the Makefile", doc, m[1])
			}
		}
	}
	if used < 2 {
		t.Errorf("the documents name %d make commands: the pattern no longer finds them", used)
	}
}

var (
	usageFlag = regexp.MustCompile(`(?m)^ {1,8}(--?[A-Za-z][a-z-]*)`)
	docFlag   = regexp.MustCompile("(?m)^\\| `(--?[A-Za-z][a-z-]*)")
)

func TestFlagsAreDocumented(t *testing.T) {
	usage, err := exec.Command(viaduct(t), "-h").Output()
	if err != nil {
		t.Fatalf("viaduct -h: %v", err)
	}
	collect := func(re *regexp.Regexp, text string) (all []string) {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	told, documented := collect(usageFlag, string(usage)), collect(docFlag, read(t, "docs/flags.md"))
	if len(told) < 23 {
		t.Fatalf("viaduct -h lists only %q", told)
	}
	for _, f := range told {
		if !slices.Contains(documented, f) {
			t.Errorf("viaduct -h lists %s; docs/flags.md has no row for it", f)
		}
	}
	for _, f := range documented {
		if !slices.Contains(told, f) {
			t.Errorf("docs/flags.md documents %s, which viaduct -h does not list", f)
		}
	}
}

// localLink matches [text](target) where target is a file of ours.
var localLink = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// brokenLinks looks after the links of the documents below root.
func brokenLinks(t *testing.T, root string, docs []string) {
	t.Helper()
	links := 0
	for _, doc := range docs {
		text, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range localLink.FindAllStringSubmatch(string(text), -1) {
			links++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Join(root, doc), m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links: the pattern no longer finds them", links)
	}
}

func TestLinksLeadSomewhere(t *testing.T) { brokenLinks(t, top, documents(t)) }

// What is installed links to what is installed.
func TestLinksOfInstalledDocuments(t *testing.T) {
	dest := t.TempDir()
	if out, err := exec.Command("make", "-C", top, "install-docs", "DESTDIR="+dest,
		"PREFIX=/usr").CombinedOutput(); err != nil {
		t.Fatalf("make install-docs: %v\n%s", err, out)
	}
	brokenLinks(t, filepath.Join(dest, "usr/share/doc/viaduct"), documents(t))
}

var (
	counterRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|")
	quotedWord = regexp.MustCompile("`([^`]+)`")
)

// counterTables are the names in the first columns of a text's tables.
func counterTables(text string) (names []string) {
	for _, row := range counterRow.FindAllStringSubmatch(text, -1) {
		for _, m := range quotedWord.FindAllStringSubmatch(row[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

// Every counter that a process gives is in docs/counters.md, or docs/streams.md for those of
// streams, and every one there is given.
func TestCountersAreDocumented(t *testing.T) {
	dir := t.TempDir()
	config, socket := filepath.Join(dir, "v.cfg"), filepath.Join(dir, "v.sock")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	if err := os.WriteFile(config,
		fmt.Appendf(nil, "use_dst_blocklist=yes\nlisten=%s\nrequest_route { exit; }\n", address), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(viaduct(t), "-D", "-E", "-n", "1", "-m", "16", "-f", config, "-x", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var out []byte
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if out, err = exec.Command(filepath.Join(filepath.Dir(viaduct(t)), "viaductctl"), "-s", socket,
			"stats").Output(); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	type object = map[string]any
	var stats struct {
		Shards       []object
		TCP, DNS     object
		DstBlocklist object `json:"dst_blocklist"`
		Steering     object
	}
	if err := json.Unmarshal(out, &stats); err != nil || len(stats.Shards) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(read(t, "docs/counters.md"), "\n## ")[1:] {
		title, text, _ := strings.Cut(s, "\n")
		sections[title] = text
	}
	_, streams, _ := strings.Cut(read(t, "docs/streams.md"), "\n## Counters\n")
	streams, _, _ = strings.Cut(streams, "\n## ")
	f := func(given object, text string) {
		t.Helper()
		names := counterTables(text)
		for name := range given {
			if !slices.Contains(names, name) {
				t.Errorf("counter %s is in no table", name)
			}
		}
		for _, name := range names {
			if _, ok := given[name]; !ok {
				t.Errorf("counter %s stands in a table, and no process has it", name)
			}
		}
	}
	f(stats.Shards[0], sections["Of each shard"])
	f(stats.TCP, streams)
	f(stats.DNS, sections["Names: `dns`"])
	f(stats.DstBlocklist, sections["Destinations to spare: `dst_blocklist`"])
	f(stats.Steering, sections["The kernel program that steers datagrams: `steering`"])
}

// README names every package that `make test` installs.
func TestPackagesAreDocumented(t *testing.T) {
	out, err := exec.Command(filepath.Join(top, "tools/deps.sh"), "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(out), "the tests use these Debian packages:")
	list, _, _ = strings.Cut(list, "\n")
	packages := strings.Fields(list)
	if !ok || len(packages) < 10 {
		t.Fatalf("deps.sh --list says %q", out)
	}
	words := strings.FieldsFunc(read(t, "README.md"),
		func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	for _, p := range packages {
		if !slices.Contains(words, p) {
			t.Errorf("make test installs %s, and README does not say so", p)
		}
	}
}

// snippet is one block fenced as ```sh test: it must run and exit 0. Words behind are commands it
// needs beside ours.
type snippet struct {
	doc   string
	line  int
	needs []string
	text  string
}

var fence = regexp.MustCompile("(?ms)^```sh test([a-z ]*)\n(.*?)^```")

func snippets(doc, text string) (all []snippet) {
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		all = append(all, snippet{doc, 1 + strings.Count(text[:at[0]], "\n"), strings.Fields(text[at[2]:at[3]]),
			text[at[4]:at[5]]})
	}
	return all
}

// TestSnippets runs the blocks in a folder that looks like the checkout after `make build`:
// bin/viaduct, bin/viaductctl and the files of the tree, read-only by link.
func TestSnippets(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	for _, name := range []string{"viaduct", "viaductctl"} {
		must(os.Symlink(filepath.Join(filepath.Dir(viaduct(t)), name), filepath.Join(dir, "bin", name)))
	}
	abs, err := filepath.Abs(top)
	must(err)
	entries, err := os.ReadDir(top)
	must(err)
	for _, e := range entries {
		if e.Name() != "bin" && !strings.HasPrefix(e.Name(), ".") {
			must(os.Symlink(filepath.Join(abs, e.Name()), filepath.Join(dir, e.Name())))
		}
	}
	ran := 0
	for _, doc := range documents(t) {
		for _, s := range snippets(doc, read(t, doc)) {
			ran++
			t.Run(fmt.Sprintf("%s:%d", s.doc, s.line), func(t *testing.T) {
				for _, need := range s.needs {
					if _, err := exec.LookPath(need); err != nil {
						t.Skipf("needs %s, which is not installed", need)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", s.text)
				cmd.Dir = dir
				cmd.WaitDelay = time.Second
				// What a failed block leaves in the background ends with its process group.
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
				out, err := cmd.CombinedOutput()
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				if err != nil {
					t.Errorf("%s:%d: %v\n%s\nprinted\n%s", s.doc, s.line, err, s.text, out)
				}
			})
		}
	}
	if ran == 0 {
		t.Error("no ```sh test block in README.md or docs: readers' commands are not tested")
	}
}

func TestSnippetFence(t *testing.T) {
	got := snippets("d", "a\n```sh test\nx\n```\n```sh\ny\n```\n```sh test sipp ip\nz\n```\n")
	if len(got) != 2 || got[0].text != "x\n" || got[0].line != 2 || len(got[0].needs) != 0 || got[1].text != "z\n" ||
		len(got[1].needs) != 2 {
		t.Errorf("%+v", got)
	}
}
