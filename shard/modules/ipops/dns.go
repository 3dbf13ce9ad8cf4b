package ipops

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"viaduct/shard/ask"
	"viaduct/shard/route"
)

// limits of questions about names.
const (
	// maxLookups is how many questions about names may be under way. Reached: the answer is
	// ask.ErrOverloaded, and the function says that there is none.
	maxLookups = 64
	// within is how long an answer may take; the resolver's own limits are shorter.
	within = 30 * time.Second
	// maxKept is how many results a shard keeps. Reached: all of them go.
	maxKept = 64
	// maxRecords is how many records of one name are kept. What is beyond is left out.
	maxRecords = 64
)

// The results that are below 1, as in Kamailio.
const (
	noMatch   = -1
	noRecords = -3
	noAddress = -3 // what is held against the name is none
	noName    = -4
)

// dns declares the functions that ask for names, and the variables that have the answers. They
// belong to the shard, as in Kamailio to the process, and are there until the run waits again.
func dns(m *route.Module) {
	s := &lookups{slots: make(chan struct{}, maxLookups)}
	m.Open(func(st *route.State) error { s.records = st.Records; return nil })
	kept := route.NewPerShard[results](m, nil)

	name := route.Spent(route.Text("hostname", "the name"))
	id := route.Text("id", "the name under which the variable finds the answer")
	route.Wait2(m, "dns_query", route.Anywhere, name, id,
		"Looks up the addresses of a name, for $dns(id=>...). -4: the name has none.",
		func(c *route.Ctx, q *ask.Question, name, id []byte) route.Result {
			if ip, err := netip.ParseAddr(string(name)); err == nil {
				kept.Of(c).set('D', id).list = []record{addressRecord(ip)}
				return 1
			}
			return s.ask(q, 'D', name)
		},
		func(c *route.Ctx, a *ask.Answer, _, id []byte) route.Result {
			if kept.Of(c).set('D', id).read('D', a) == 0 {
				return noName
			}
			return 1
		})
	query := func(fn string, kind byte, arg, doc string) {
		route.Wait2(m, fn, route.Anywhere, route.Spent(route.Text(arg, "the name")), id, doc,
			func(_ *route.Ctx, q *ask.Question, name, _ []byte) route.Result { return s.ask(q, kind, name) },
			func(c *route.Ctx, a *ask.Answer, _, id []byte) route.Result {
				if kept.Of(c).set(kind, id).read(kind, a) == 0 {
					return noRecords
				}
				return 1
			})
	}
	query("srv_query", 'S', "service", "Looks up the SRV records of a name such as "+
		"_sip._udp.example.com, for $srvquery(id=>...). -3: there are none.")
	query("naptr_query", 'N', "domain", "Looks up the NAPTR records of a domain, for "+
		"$naptrquery(id=>...). -3: there are none.")
	address := route.Text("address", "the address")
	for _, fn := range [...]string{"dns_sys_match_ip", "dns_int_match_ip"} {
		route.Wait2(m, fn, route.Anywhere, name, address,
			"Tells whether a name has an address. -1: it has only others, -3: that is not an "+
				"address, -4: the name has none.",
			func(_ *route.Ctx, q *ask.Question, name, text []byte) route.Result {
				ip := read(text)
				if ip.kind == none {
					return noAddress
				}
				if is, err := netip.ParseAddr(string(name)); err == nil {
					return route.Truth(is == ip.ip)
				}
				return s.ask(q, 'D', name)
			},
			func(_ *route.Ctx, a *ask.Answer, _, text []byte) route.Result {
				var got result
				if got.read('D', a) == 0 {
					return noName
				}
				ip := read(text).ip.String()
				for i := range got.list {
					if string(got.list[i].text[0]) == ip {
						return 1
					}
				}
				return noMatch
			})
	}
	route.Func1(m, "dns_set_local_ttl", route.Anywhere,
		route.Int("seconds", 0, 1<<31-1, "how long answers are kept"),
		"Has no effect: answers are kept for as long as their TTL says, see docs/dns.md.",
		func(*route.Ctx, int) route.Result { return 1 })

	variable(m, kept, 'D', "dns",
		"count, ipv4 and ipv6 (whether there are such), addr[i], type[i] (4 or 6)")
	variable(m, kept, 'S', "srvquery", "count, port[i], priority[i], target[i], weight[i]")
	variable(m, kept, 'N', "naptrquery",
		"count, order[i], pref[i], flags[i], services[i], regex[i], replace[i]")
}

// lookups is the service that finds records.
type lookups struct {
	records route.Records
	slots   chan struct{}
}

// ask has a question asked.
func (s *lookups) ask(q *ask.Question, kind byte, name []byte) route.Result {
	q.Append([]byte{kind})
	q.Append(name)
	return q.Ask(s, within)
}

// Ask is ask.Service.
func (s *lookups) Ask(q *ask.Question) bool {
	if s.records == nil {
		return false
	}
	select {
	case s.slots <- struct{}{}:
	default:
		return false
	}
	go func() {
		s.answer(q)
		q.Done()
		<-s.slots
	}()
	return true
}

// answer writes a record a line. Err is that of the last type asked if none was answered.
func (s *lookups) answer(q *ask.Question) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	text := q.Text()
	types := map[byte][]string{'D': {"A", "AAAA"}, 'S': {"SRV"}, 'N': {"NAPTR"}}[text[0]]
	name := strings.TrimSuffix(string(text[1:]), ".")
	var lines []byte
	answered := false
	var failed error
	for _, typ := range types {
		records, err := s.records.Records(ctx, name, typ)
		if err != nil {
			failed = err
			continue
		}
		answered = true
		for _, r := range records {
			lines = append(append(lines, r...), '\n')
		}
	}
	if !answered {
		q.Answer.Err = failed
		return
	}
	q.Answer.SetText(lines)
}

func addressRecord(ip netip.Addr) record {
	ip = ip.Unmap()
	r := record{number: [4]int64{4}, text: [4][]byte{[]byte(ip.String())}}
	if ip.Is6() {
		r.number[0] = 6
	}
	return r
}
