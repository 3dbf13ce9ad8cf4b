package route

import (
	"os"
	"path/filepath"
	"testing"
)

// loadFile loads a file of testdata.
func loadFile(t testing.TB, path string) (*Program, *Settings, Warnings) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, s, w, err := Load(filepath.Base(path), src, Options{})
	if err != nil {
		t.Fatalf("%s is refused:\n%v", path, err)
	}
	return p, s, w
}

func TestPeers(t *testing.T) {
	for _, n := range []string{"lb", "stateful", "stateless"} {
		_, _, w := loadFile(t, "testdata/peers/"+n+".cfg")
		for i := range w {
			t.Log(w[i].Error())
		}
	}
	_, _, w, err := Load("default.cfg", Default(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range w {
		t.Log(w[i].Error())
	}
}

func TestLB(t *testing.T) {
	p, _, _ := loadFile(t, "testdata/peers/lb.cfg")
	h := newFake(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
	h.answers["PrecheckTrans"] = -1
	h.answers["CheckTrans"] = -1
	c := NewCtx(h)
	o := p.Request(c)
	t.Log(o, h.calls)
}

func BenchmarkLB(b *testing.B) {
	p, _, _ := loadFile(b, "testdata/peers/lb.cfg")
	h := newFake(b, request("INVITE sip:bob@127.0.0.1:5060", ""))
	h.quiet = true
	c := NewCtx(h)
	b.ReportAllocs()
	for b.Loop() {
		if p.Request(c) != Exited {
			b.Fatal("x")
		}
	}
}
