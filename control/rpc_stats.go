package control

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Statistic is a number by the name that Kamailio gives it, GROUP:NAME.
type Statistic struct {
	Group, Name string
	Value       uint64
}

// RegisterStatistics adds the methods stats.*, over what read returns, in its order.
func RegisterStatistics(r *RPC, read func() []Statistic) {
	params := []Param{{Name: "name", Repeated: true}}
	register := func(name, help string, answer func([]Statistic) any) {
		r.Register(&Method{Name: name,
			Help:   help + " A name is NAME, GROUP:NAME, GROUP: for all of it, or all.",
			Params: params, Call: func(a Args) (any, error) {
				var asked []Statistic
				all := read()
				for i := range a.Len() {
					for _, s := range all {
						if s.meant(a.Text(i)) {
							asked = append(asked, s)
						}
					}
				}
				return answer(asked), nil
			}})
	}
	register("stats.get_statistics", "Reads statistics, a line each.", func(all []Statistic) any {
		lines := make([]string, 0, len(all))
		for _, s := range all {
			lines = append(lines, fmt.Sprintf("%s:%s = %d", s.Group, s.Name, s.Value))
		}
		return lines
	})
	register("stats.fetch", "Reads statistics as texts by name.", func(all []Statistic) any {
		m := map[string]string{}
		for _, s := range all {
			m[s.Group+"."+s.Name] = strconv.FormatUint(s.Value, 10)
		}
		return m
	})
	register("stats.fetchn", "Reads statistics as numbers by name.", func(all []Statistic) any {
		m := map[string]uint64{}
		for _, s := range all {
			m[s.Group+"."+s.Name] = s.Value
		}
		return m
	})
}

// meant reports whether a word of a question is about the statistic.
func (s *Statistic) meant(word string) bool {
	if group, ok := strings.CutSuffix(word, ":"); ok {
		return group == s.Group
	}
	if group, name, ok := strings.Cut(word, ":"); ok {
		return group == s.Group && name == s.Name
	}
	return word == "all" || word == s.Name || word == s.Group+"."+s.Name
}

// Transactions is what the methods tm.* see and steer. Its functions are called from any goroutine.
type Transactions struct {
	Stats func() any
	// List lists transactions, most at most, and tells whether there are more.
	List func(most int) (list []any, more bool, err error)
	// Cancel cancels an INVITE transaction. It returns how many branches were under way, and false if
	// there is no such transaction without a final response.
	Cancel func(callID string, cseq uint32) (branches int, found bool, err error)
	// Send sends a request. With wait it returns the final response, else as soon as the request is
	// on its way. A *Fault as the error says what is wrong with it.
	Send func(x *Sending, wait bool) (code int, reason string, err error)
}

// Sending is a request that a command sends.
type Sending struct {
	Method, URI     string
	NextHop, Socket string // "" leaves them to the server
	Rows, Body      string // Rows are headers, each with its line end
}

// RegisterTransactions adds the methods tm.*, in Kamailio's shapes.
func RegisterTransactions(r *RPC, t *Transactions) {
	r.Register(
		&Method{Name: "tm.stats", Help: "Reads the counters of transactions.",
			Call: func(Args) (any, error) { return t.Stats(), nil }},
		&Method{Name: "tm.list", Help: "Lists transactions, those that have ended and absorb " +
			"repetitions included.",
			Call: func(Args) (any, error) {
				list, more, err := t.List(viewRecords)
				if err != nil {
					return nil, err
				}
				if more {
					list = append(list, "more")
				}
				return append([]any{}, list...), nil
			}},
		&Method{Name: "tm.cancel", Help: "Cancels an INVITE transaction: its branches get a CANCEL, " +
			"and its caller what they answer then.",
			Params: []Param{{Name: "call-id"}, {Name: "cseq", Kind: Int, Most: math.MaxUint32}},
			Call: func(a Args) (any, error) {
				n, found, err := t.Cancel(a.Text(0), uint32(a.Int(1, 0)))
				switch {
				case err != nil:
					return nil, err
				case !found:
					return nil, Faultf(400, "Transaction not found")
				}
				return []any{n, "branches remaining (waiting for timeout)"}, nil
			}},
		&Method{Name: "tm.t_uac_start", Help: "Sends a request, without waiting for the response.",
			Params: sendingParams, Call: func(a Args) (any, error) {
				_, _, err := t.Send(sendingOf(a), false)
				return struct{}{}, err
			}},
		&Method{Name: "tm.t_uac_wait", Help: "Sends a request and waits for the final response.",
			Params: sendingParams, Call: t.sendAndWait},
		&Method{Name: "tm.t_uac_wait_block", Help: "The same as tm.t_uac_wait.",
			Params: sendingParams, Call: t.sendAndWait},
		&Method{Name: "tm.clean", Help: "Does nothing: no transaction outlives its time here.",
			Call: func(Args) (any, error) { return nil, nil }},
	)
}

// sendingParams are those of tm.t_uac_*.
var sendingParams = []Param{{Name: "method"}, {Name: "ruri"}, {Name: "nexthop"}, {Name: "socket"},
	{Name: "headers"}, {Name: "body", Optional: true}}

// sendingOf reads them. A dot stands for nothing, and a line end of headers may be LF alone.
func sendingOf(a Args) *Sending {
	text := func(i int) string {
		if i >= a.Len() || a.Text(i) == "." {
			return ""
		}
		return a.Text(i)
	}
	rows := strings.ReplaceAll(strings.TrimRight(text(4), "\r\n"), "\r\n", "\n")
	rows = strings.ReplaceAll(rows, "\n", "\r\n") + "\r\n"
	return &Sending{Method: text(0), URI: text(1), NextHop: text(2), Socket: text(3), Rows: rows,
		Body: text(5)}
}

func (t *Transactions) sendAndWait(a Args) (any, error) {
	code, reason, err := t.Send(sendingOf(a), true)
	if err != nil {
		return nil, err
	}
	return struct {
		Code int    `json:"code"`
		Text string `json:"text"`
	}{code, reason}, nil
}
