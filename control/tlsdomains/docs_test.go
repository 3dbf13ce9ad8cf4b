package tlsdomains

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/tls.md is for operators: its example must load as it stands, and its table must have every
// key.
func TestDocumentIsTrue(t *testing.T) {
	data, err := os.ReadFile("../../docs/tls.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	_, rest, _ := strings.Cut(text, "\n```\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no example found")
	}
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	for _, m := range regexp.MustCompile(`(?m)^(certificate|private_key) = `+
		`(\S+)\.(pem|key)`).FindAllStringSubmatch(example, -1) {
		if m[1] == "certificate" {
			f.put(m[2], ca.issue(t, "example.org"))
		}
	}
	f.write("carriers.pem", ca.pem())
	f.write("carrier.pem", ca.pem())
	f.write("carriers-crl.pem", ca.revoke(t, ca.cert.NotAfter))
	if s := f.open(example); len(s.Warnings()) > 0 || len(s.now.Load().servers) != 2 || len(s.now.Load().clients) != 1 {
		t.Errorf("the example gives %d and %d domains, warnings %v", len(s.now.Load().servers),
			len(s.now.Load().clients), s.Warnings())
	}
	for _, k := range settings {
		row := "\n| `" + k.name + "`"
		i := strings.Index(text, row)
		if i < 0 {
			t.Errorf("%s has no row in the table of keys", k.name)
			continue
		}
		line, _, _ := strings.Cut(text[i+1:], "\n")
		for _, other := range k.other {
			if !strings.Contains(line, "`"+other+"`") && !strings.Contains(text, "`"+other+"`") {
				t.Errorf("%s is not told to be %s", other, k.name)
			}
		}
	}
}
