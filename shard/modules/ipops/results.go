package ipops

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// A record is one of an answer: of an address its family and the address; of SRV priority, weight,
// port and target; of NAPTR order, preference, flags, service, expression and replacement.
type record struct {
	number [4]int64
	text   [4][]byte
}

// A result is what a name led to.
type result struct{ list []record }

// results are those of a shard, by kind and name.
type results struct{ by map[string]*result }

// set is the empty result for an answer of that name.
func (s *results) set(kind byte, id []byte) *result {
	if s.by == nil || len(s.by) >= maxKept {
		s.by = map[string]*result{}
	}
	r := &result{}
	s.by[string(kind)+string(id)] = r
	return r
}

// read reads an answer of a kind, and returns how many records it has.
func (r *result) read(kind byte, a *ask.Answer) int {
	if a.Err != nil {
		return 0
	}
	for _, l := range strings.Split(strings.TrimSuffix(string(a.Text()), "\n"), "\n") {
		if x, ok := readRecord(kind, l); ok && len(r.list) < maxRecords {
			r.list = append(r.list, x)
		}
	}
	switch kind {
	case 'S':
		inOrder(r.list, 1)
		for i := 0; i < len(r.list); { // RFC 2782: by chance and weight among those of one priority
			end := i + 1
			for end < len(r.list) && r.list[end].number[0] == r.list[i].number[0] {
				end++
			}
			byWeight(r.list[i:end])
			i = end
		}
	case 'N':
		inOrder(r.list, 2)
	}
	return len(r.list)
}

// inOrder sorts by the first n numbers.
func inOrder(list []record, n int) {
	slices.SortStableFunc(list, func(a, b record) int {
		return slices.Compare(a.number[:n],
			b.number[:n])
	})
}

// readRecord reads what route.Records writes.
func readRecord(kind byte, l string) (r record, ok bool) {
	switch kind {
	case 'D':
		ip, err := netip.ParseAddr(l)
		if err != nil {
			return r, false
		}
		return addressRecord(ip), true
	case 'S':
		f := strings.Fields(l)
		if len(f) != 4 {
			return r, false
		}
		for i := range 3 {
			r.number[i], _ = strconv.ParseInt(f[i], 10, 64)
		}
		r.text[0] = []byte(f[3])
		return r, true
	}
	order, rest, _ := strings.Cut(l, " ")
	pref, rest, _ := strings.Cut(rest, " ")
	r.number[0], _ = strconv.ParseInt(order, 10, 64)
	r.number[1], _ = strconv.ParseInt(pref, 10, 64)
	for i := range 3 {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return r, false
		}
		word, _ := strconv.Unquote(quoted)
		r.text[i] = []byte(word)
		rest = strings.TrimPrefix(rest[len(quoted):], " ")
	}
	r.text[3] = []byte(rest)
	return r, true
}

// byWeight draws the order of records of one priority.
func byWeight(list []record) {
	for i := range list {
		sum := int64(0)
		for _, r := range list[i:] {
			sum += r.number[1]
		}
		n := rand.Int64N(sum + 1)
		for k := i; k < len(list); k++ {
			if n -= list[k].number[1]; n <= 0 {
				list[i], list[k] = list[k], list[i]
				break
			}
		}
	}
}

// variable declares the variable that has the results of a kind.
func variable(m *route.Module, kept *route.PerShard[results], kind byte, name, keys string) {
	m.Var(route.Var{Name: name, Inner: "ID=>KEY",
		Doc: "What was looked up under ID: " + keys +
			". It is null if nothing was found, or the run has waited since.",
		Compile: func(b *route.VarBuild, inner, _ string) route.Place {
			id, key, ok := strings.Cut(inner, "=>")
			word, index, _ := strings.Cut(key, "[")
			read := fields[string(kind)+word]
			if !ok || read == nil {
				b.Errorf("$%s(%s): write $%s(id=>key), where the key is one of %s", name, inner, name, keys)
				return route.Place{}
			}
			at, ok := b.Index(strings.TrimSuffix(index, "]"))
			if !ok {
				return route.Place{}
			}
			id = string(kind) + id
			return route.Place{Any: func(c *route.Ctx) route.Value {
				r := kept.Of(c).by[id]
				if r == nil {
					return route.Null
				}
				i, _ := at.At(c)
				if i < 0 {
					i += len(r.list)
				}
				return read(r, i)
			}, NoRoom: true}
		}})
}

// fields are what the variables have, by kind and key.
var fields = map[string]func(r *result, i int) route.Value{
	"Dcount": count, "Scount": count, "Ncount": count,
	"Dipv4": family(4), "Dipv6": family(6), "Daddr": text(0), "Dtype": number(0),
	"Spriority": number(0), "Sweight": number(1), "Sport": number(2), "Starget": text(0),
	"Norder": number(0), "Npref": number(1), "Nflags": text(0), "Nservices": text(1),
	"Nregex": text(2), "Nreplace": text(3),
}

func count(r *result, _ int) route.Value { return route.IntValue(int64(len(r.list))) }

func number(k int) func(r *result, i int) route.Value {
	return func(r *result, i int) route.Value {
		if i < 0 || i >= len(r.list) {
			return route.Null
		}
		return route.IntValue(r.list[i].number[k])
	}
}

func text(k int) func(r *result, i int) route.Value {
	return func(r *result, i int) route.Value {
		if i < 0 || i >= len(r.list) {
			return route.Null
		}
		return route.TextValue(r.list[i].text[k])
	}
}

func family(n int64) func(r *result, _ int) route.Value {
	return func(r *result, _ int) route.Value {
		for i := range r.list {
			if r.list[i].number[0] == n {
				return route.IntValue(1)
			}
		}
		return route.IntValue(0)
	}
}
