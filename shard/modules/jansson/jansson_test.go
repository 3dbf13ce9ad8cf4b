package jansson

import (
	"bytes"
	"encoding/json"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
)

// TestCases plays testdata/jansson.txt.
func TestCases(t *testing.T) {
	moduletest.New(t, route.Declared{Name: "jansson", Define: Define}).Check("testdata/jansson.txt")
}

// TestLists plays testdata/lists.txt.
func TestLists(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "jansson", Define: Define})
	b.Check("testdata/lists.txt")
	if _, got := b.Run(`jansson_xdecode("{}", "");`); got != -1 {
		t.Errorf("a list without a name: %d", got)
	}
	p, _, err := b.Load("request_route { jansson_xdecode(\"[{\\\"a\\\":1},{\\\"b\\\":\\\"x\\\"}]\", \"j\"); " +
		"jansson_xencode(\"j\", \"$var(o)\"); }")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
		b.Core.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzCompact holds the one form of a text against package encoding/json: it is JSON, means the
// same, and is its own form; and each member of an object is found as there.
func FuzzCompact(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[1,2.50,"x",{"c":null}]}`, `[]`, `"\ud83d\ude00\n"`, `{"a":{"a":{}}}`,
		`[[],[[]],{}]`, `-0.0`, `{"":"","a,b":"}"}`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ok := compact(nil, b)
		if !ok {
			return
		}
		if bytes.Contains(b, []byte("-0")) {
			return // -0 is 0 here, and a real in package json
		}
		var theirs, ours any
		if json.Unmarshal(b, &theirs) != nil || json.Unmarshal(x, &ours) != nil {
			t.Fatalf("%q is %q, and one is no JSON", b, x)
		}
		p, _ := json.Marshal(theirs)
		q, _ := json.Marshal(ours)
		if !bytes.Equal(p, q) {
			t.Fatalf("%q is %q: %s and %s", b, x, p, q)
		}
		if y, ok := compact(nil, x); !ok || !bytes.Equal(x, y) {
			t.Fatalf("%q is %q, and that %q", b, x, y)
		}
		if n := valueEnd(x, 0); n != len(x) {
			t.Fatalf("%q ends at %d", x, n)
		}
		switch v := theirs.(type) {
		case []any:
			if n := count(x, span{0, len(x)}); n != len(v) {
				t.Fatalf("%q has %d items, want %d", x, n, len(v))
			}
			for i := range v {
				at, ok := element(x, span{0, len(x)}, i)
				checkSame(t, x, at, ok, v[i])
			}
		case map[string]any:
			if count(x, span{0, len(x)}) < len(v) {
				t.Fatalf("%q has fewer than %d members", x, len(v))
			}
			for k := range v {
				name, _ := appendText(nil, []byte(k))
				at, ok := member(x, span{0, len(x)}, name)
				if !ok && bytes.Count(x, append(name, ':')) > 1 {
					continue // twice there
				}
				checkSame(t, x, at, ok, v[k])
			}
		}
	})
}

func checkSame(t *testing.T, x []byte, at span, ok bool, want any) {
	t.Helper()
	var got any
	if !ok || json.Unmarshal(x[at.from:at.to], &got) != nil {
		t.Fatalf("%q: %v at %v is not found", x, want, at)
	}
	p, _ := json.Marshal(got)
	if q, _ := json.Marshal(want); !bytes.Equal(p, q) {
		t.Fatalf("%q: %s, want %s", x, p, q)
	}
}

// TestJSON plays testdata/json.txt.
func TestJSON(t *testing.T) {
	moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "json", Define: DefineJSON}).Check("testdata/json.txt")
}
