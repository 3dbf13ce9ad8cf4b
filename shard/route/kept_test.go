package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// keptModel is Kept in its plain form, one list without lists in it.
type keptModel []keptPair

type keptPair struct {
	name string
	v    string
}

func (k *Kept) pairs(in Item) (list keptModel) {
	for i := k.First(in); i != 0; i = k.Next(i) {
		v := k.Value(i)
		list = append(list, keptPair{string(k.Name(i)), fmt.Sprint(v.Kind, v.N, string(v.S))})
	}
	return list
}

// TestKeptOracle does at random to Kept what it does to a plain list. Texts are so long that they
// are packed many times, and what is written is read back.
func TestKeptOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	c := &Ctx{run: run{kept: newKept()}}
	k, packed := c.kept, 0
	var model keptModel
	for range 6000 {
		name := string(rune('a' + rnd.IntN(3)))
		key := KeyOf([]byte(name))
		v := intOf(rnd.Int64())
		if rnd.IntN(2) == 0 {
			v = TextValue(bytes.Repeat([]byte{byte('A' + rnd.IntN(26))}, rnd.IntN(2000)))
		}
		pair := keptPair{name, fmt.Sprint(v.Kind, v.N, string(v.S))}
		same := func(p keptPair) bool { return p.name == name }
		before := &k.text[:1][0]
		switch op := rnd.IntN(5); {
		case op == 0 && len(model) < 20:
			k.Push(AVPs, &key, v)
			model = slices.Insert(model, 0, pair)
		case op == 1 && len(model) < 20:
			k.PushLast(AVPs, &key, v)
			model = append(model, pair)
		case op == 2:
			if i := slices.IndexFunc(model, same); i >= 0 {
				k.Remove(AVPs, k.Nth(AVPs, &key, false, 0))
				model = slices.Delete(model, i, i+1)
			}
		case op == 3:
			if i := slices.IndexFunc(model, same); i >= 0 {
				k.Replace(k.Nth(AVPs, &key, false, 0), v)
				model[i] = pair
			}
		case rnd.IntN(50) == 0:
			k.RemoveAll(AVPs, &key, false)
			model = slices.DeleteFunc(model, same)
		}
		if &k.text[:1][0] != before {
			packed++
		}
		if got := k.pairs(AVPs); !slices.Equal(got, model) {
			t.Fatalf("there are %.2000v, want %.2000v", got, model)
		}
		if rnd.IntN(1000) == 0 {
			b := c.AppendKept(nil)
			if n := c.KeptBytes(); n != len(b) && n != 0 {
				t.Fatalf("%d bytes announced, %d written", n, len(b))
			}
			if !c.ReadKept(b) || k.changed {
				t.Fatalf("%q is not read back", b)
			}
		}
	}
	if packed < 10 {
		t.Errorf("texts were packed %d times", packed)
	}
}

// TestKeptLists: lists in lists are written and read back, and go with what they are in.
func TestKeptLists(t *testing.T) {
	c := &Ctx{run: run{kept: newKept()}}
	k := c.kept
	key := func(s string) *Key { k := KeyOf([]byte(s)); return &k }
	top := k.Push(XAVUs, key("a"), Null)
	deep := k.Push(top, key("b"), Null)
	k.Push(deep, key("c"), intOf(-5))
	k.Push(deep, key("d"), TextValue([]byte("text")))
	k.Push(XAVIs, key("A"), intOf(1))
	b := c.AppendKept(nil)
	if c.ReadKept(nil); c.KeptBytes() != 0 || k.First(XAVUs) != 0 {
		t.Fatal("there are some")
	}
	if !c.ReadKept(b) || !bytes.Equal(c.AppendKept(nil), b) || c.KeptBytes() != len(b) {
		t.Fatalf("%q is written as %q", b, c.AppendKept(nil))
	}
	if k.Nth(XAVIs, key("a"), true, 0) == 0 || k.Nth(XAVIs, key("a"), false, 0) != 0 {
		t.Error("case is not as asked for")
	}
	k.Remove(XAVUs, k.First(XAVUs))
	if n := len(k.items); k.Push(AVPs, key("x"), Null) == 0 || len(k.items) != n {
		t.Error("items that were taken out are not used again")
	}
	for n := range b {
		if c.ReadKept(b[:n]) && n > 0 {
			t.Errorf("the first %d bytes are read as whole", n)
		}
	}
}

// TestKeptFull: a run that keeps too much ends as Faulted, by their number and by their length.
func TestKeptFull(t *testing.T) {
	f := func(name, body, want string) {
		t.Helper()
		h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
		p, _, _, err := loadText(allModules+"max_while_loops=5000\nrequest_route {\n"+body+"\n}\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		o := h.request(p)
		if o != Faulted || !strings.Contains(h.c.Fault.Error(), want) {
			t.Errorf("%s: ended as %d: %v", name, o, h.c.Fault)
		}
	}
	f("number", `$var(i) = 0; while ($var(i) < 3000) { $var(i) = $var(i) + 1; $avp(a) = 1; }`,
		"value of $avp(a) is too long")
	f("length", `$var(x) = "0123456789012345678901234567890123456789"; $var(i) = 0;
		while ($var(i) < 8) { $var(i) = $var(i) + 1; $var(x) = $var(x) + $var(x); }
		$avp(a) = 1; while ($var(i) < 3000) { $var(i) = $var(i) + 1; $avp(a) = $var(x); }`,
		"value of $avp(a) is too long")
}

// TestKeptNoAllocation: variables cost the heap nothing.
func TestKeptNoAllocation(t *testing.T) {
	h := newBench(t, request("INVITE sip:bob@127.0.0.1:5060", ""))
	p, _, _, err := loadText(allModules+`request_route {
		$avp(a) = 1; $avp(a) = "x" + $avp(a); $(avp(a)[*]) = $rU; $avp($avp(a)) = $(avp(a)[*]);
		$xavp(a=>b) = 1; $xavp(a[0]=>c) = "t"; $xavp(a[0]=>c[0]) = $xavp(a=>b); $xavu(a=>b) = $ru;
		$xavp(a) = $null; $avp(a) = $null;
	}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.request(p)
	if n := testing.AllocsPerRun(100, func() { p.Request(h.c, h.begin()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
