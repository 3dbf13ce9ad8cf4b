package table

import (
	"bytes"
	"fmt"
	"testing"
)

// plain is the plain table: a map.
type plain struct {
	all  map[string]Value
	room int
}

// at is the entry under key, if it has not ended.
func (p *plain) at(key string, now int64) (Value, bool) {
	v, ok := p.all[key]
	return v, ok && (v.Ends == 0 || now < v.Ends)
}

func (p *plain) put(key string, v Value, c Terms, now int64) Verdict {
	old, live := p.at(key, now)
	if _, there := p.all[key]; !there && len(p.all) >= p.room {
		return Full
	}
	v.Ends = c.Ends
	if live && c.Keep {
		v.Ends = old.Ends
	}
	v.Text = bytes.Clone(v.Text)
	p.all[key] = v
	return Done
}

func same(a, b Value) bool {
	return a.Kind == b.Kind && a.Int == b.Int && bytes.Equal(a.Text, b.Text) && a.Ends == b.Ends
}

// compare compares all of a table with the plain one, ended entries included.
func (p *plain) compare(t *Table, now int64) error {
	n, live := 0, 0
	for key := range p.all {
		if _, ok := p.at(key, now); ok {
			live++
		}
	}
	var err error
	for cursor, first := uint32(0), true; first || cursor != 0; first = false {
		cursor = t.View(cursor, now, 1000, func(e *Entry) {
			if want, ok := p.at(string(e.Key), now); !ok || !same(e.Value, want) {
				err = fmt.Errorf("%q is %+v, want %+v, %v", e.Key, e.Value, want, ok)
			}
			n++
		})
	}
	if err == nil && (n != live || int(t.Stats().Entries) != len(p.all)) {
		err = fmt.Errorf("%d entries, %d ended or not, want %d, %d", n, t.Stats().Entries, live, len(p.all))
	}
	return err
}

// FuzzOracle: any sequence of operations has the same results on the table and on a map, and a
// process that takes it over finds the same. Four bytes an operation: what, on which of 32 keys,
// two of arguments.
func FuzzOracle(f *testing.F) {
	f.Add([]byte{0, 1, 9, 3, 0, 2, 9, 200, 1, 1, 0, 5, 3, 200, 1, 1, 9, 2, 2, 0, 0, 1, 0x80, 3, 8, 0, 1, 1, 7, 255, 9,
		9})
	f.Add([]byte{0, 1, 1, 0, 0, 2, 1, 0, 0, 3, 1, 0, 0, 4, 1, 0, 3, 5, 1, 0, 4, 6, 1, 0, 0, 7, 1, 9, 0, 8, 1, 9, 6, 1,
		0, 0, 7, 255, 0, 0, 8, 0, 0, 0})
	f.Add([]byte{0, 1, 1, 5, 11, 1, 0, 0, 0, 1, 1, 5, 11, 1, 1, 6, 11, 1, 1, 5, 0, 1, 128, 9, 11, 1, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 2000 {
			ops = ops[:2000]
		}
		const room = 12
		a := testArena(t, 2<<20)
		c := Config{Entries: room, MaxKey: 100, MaxValue: 600, Bytes: 512 << 10}
		table, err := open(t, a).Table("test", c)
		if err != nil {
			t.Fatal(err)
		}
		oracle := &plain{all: map[string]Value{}, room: room}
		now, buf := int64(1000), make([]byte, c.MaxValue)
		text := bytes.Repeat([]byte("0123456789abc"), 60)
		for ; len(ops) >= 4; ops = ops[4:] {
			key := string(text[ops[1]%8 : ops[1]%8+ops[1]/8%4*29])
			x, y := ops[2], ops[3]
			terms := Terms{Ends: now + int64(x%16)*20, Keep: x&64 != 0}
			if x%16 == 0 {
				terms.Ends = 0
			}
			v := Number(int64(int8(y)))
			if x&128 != 0 {
				v = String(text[x%8 : int(x%8)+int(y)*2])
			}
			old, live := oracle.at(key, now)
			want, got := Done, Done
			switch ops[0] % 12 {
			case 0:
				want, got = oracle.put(key, v, terms, now), table.Put([]byte(key), v, terms, now)
			case 1, 2:
				have, verdict := table.Get([]byte(key), now, buf)
				if got = verdict; !live {
					want = Absent
				} else if !same(have, old) {
					t.Fatalf("get %q: %+v, want %+v", key, have, old)
				}
			case 3:
				if got = table.Insert([]byte(key), v, terms, now); live {
					want = Exists
				} else {
					want = oracle.put(key, v, terms, now)
				}
			case 4:
				sum, verdict := table.Create([]byte(key), 7, int64(y), terms, now)
				wantSum := 7 + int64(y)
				if got = verdict; live {
					wantSum = old.Int + int64(y)
				}
				if live && old.Kind == Text {
					want, wantSum = NotInt, 0
				} else if want = oracle.put(key, Number(wantSum), terms, now); want != Done {
					wantSum = sum
				}
				if sum != wantSum {
					t.Fatalf("create %q: %d, want %d", key, sum, wantSum)
				}
			case 5:
				sum, verdict := table.Add([]byte(key), int64(y), terms, now)
				got = verdict
				switch {
				case !live:
					want = Absent
				case old.Kind == Text:
					want = NotInt
				default:
					if want = oracle.put(key, Number(old.Int+int64(y)), terms, now); sum != old.Int+int64(y) {
						t.Fatalf("add %q: %d, want %d", key, sum, old.Int+int64(y))
					}
				}
			case 6:
				if got = table.Delete([]byte(key), now); live {
					delete(oracle.all, key)
				} else {
					want = Absent
				}
			case 7:
				now += int64(x) * 2
			case 8:
				told := 0
				for done := false; !done; {
					_, done = table.Expire(now, 1+int(x), func(e *Entry) {
						if have, ok := oracle.all[string(e.Key)]; !ok || !same(have, e.Value) || have.Ends == 0 ||
							have.Ends > now {
							t.Fatalf("ended %q: %+v, want %+v", e.Key, e.Value, have)
						}
						delete(oracle.all, string(e.Key))
						told++
					})
				}
			case 9:
				compared := old
				if x&1 != 0 {
					compared = Number(int64(y))
				}
				got = table.CompareAndPut([]byte(key), compared, v, terms, now)
				switch {
				case !live:
					want = Absent
				case compared.Kind != old.Kind || compared.Int != old.Int || !bytes.Equal(compared.Text, old.Text):
					want = Differs
				default:
					want = oracle.put(key, v, terms, now)
				}
			case 11:
				compared := old
				if x&1 != 0 {
					compared = Number(int64(y))
				}
				got = table.CompareAndDelete([]byte(key), compared, now)
				switch {
				case !live:
					want = Absent
				case compared.Kind != old.Kind || compared.Int != old.Int || !bytes.Equal(compared.Text, old.Text):
					want = Differs
				default:
					delete(oracle.all, key)
				}
			case 10:
				if x%4 == 0 {
					if d := open(t, a); true {
						table, err = d.Table("test", c)
					}
					if err != nil || table.Origin() != Kept {
						t.Fatal(err, table.Origin())
					}
					break
				}
				got = table.SetDeadline([]byte(key), terms.Ends, now)
				if !live {
					want = Absent
				} else {
					old.Ends = terms.Ends
					oracle.all[key] = old
				}
			}
			if got != want {
				t.Fatalf("operation %d on %q: %v, want %v", ops[0]%12, key, got, want)
			}
			check(t, table)
		}
		if err := oracle.compare(table, now); err != nil {
			t.Fatal(err)
		}
	})
}
