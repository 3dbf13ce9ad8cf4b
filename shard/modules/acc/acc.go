// Package acc writes a line to the log for each transaction that ends: Kamailio's module acc.
//
// Which transactions these are, the script says with message flags. The final response that leaves
// makes the line, with the request as its last route left it and the variables that its transaction
// keeps.
//
// Three things differ from Kamailio 5.6.3 on purpose. A response that the script makes in a
// failure_route is no second missed call, since the flag for those is reset when the destinations
// have failed, as the manual says. A CANCEL that is repeated is accounted once. And where a request
// is answered without a transaction nothing is accounted, which Kamailio does not do either, but
// says nowhere.
package acc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"viaduct/shard/route"
)

// acc is the module of one load.
type acc struct {
	early, cancels, direction *bool
	reasonHeader              *bool

	answered, missed, failed *int // flags; -1 means none
	filter                   []int
	level                    *int

	extra, legs fields
	times       times
	lines       *route.PerShard[line]
}

// noFlag is a flag that was not given.
const noFlag = -1

// Define is the module.
func Define(m *route.Module) {
	a := &acc{}
	a.lines = route.NewPerShard(m, func(int) *line { return &line{b: make([]byte, 0, lineBytes)} })
	a.early = m.Bool("early_media", false,
		"Whether provisional responses with a body are accounted too.")
	flag := func(name, doc string) *int { return m.Int(name, noFlag, noFlag, 31, doc) }
	a.failed = flag("failed_transaction_flag",
		"The flag with which transactions are accounted that failed (300 or more).")
	m.Each("failed_filter", a.takeFilter,
		"Codes of 300 or more, separated by commas, that are not accounted as failed transactions.")
	acks := m.Bool("report_ack", false,
		"Whether the ACK to a 2xx is accounted, if it is sent on from here.")
	a.cancels = m.Bool("report_cancels", false, "Whether CANCELs are accounted.")
	a.direction = m.Bool("detect_direction", false,
		"Whether From and To change places in requests from the callee to the caller.")
	later := flag("acc_prepare_flag",
		"The flag with which requests may be accounted whose flags are set in later routes.")
	all := m.Bool("acc_prepare_always", false,
		"Whether all requests may be accounted whose flags are set in later routes.")
	a.answered = flag("log_flag", "The flag with which transactions are accounted.")
	a.missed = flag("log_missed_flag",
		"The flag with which missed calls are accounted: INVITEs that no destination took. It is "+
			"reset then, so a failure_route that tries others sets it again.")
	a.level = m.Int("log_level", 1, -5, 3, "The level of the lines.")
	m.Text("log_facility", "LOG_DAEMON", "Has no effect: one facility serves all lines.")
	m.Check("log_facility", func(s string, _ int64) string {
		if slices.Contains(facilities, s) {
			return ""
		}
		return "is no facility; " + facilities[0] + " is one"
	})
	m.Text("log_extra", "",
		"More for each line, \"name=$variable;name=$variable\", read from the request.")
	a.extra.from(m, "log_extra")
	m.Text("multi_leg_info", "",
		"AVPs, \"name=$avp(x);name=$avp(y)\". Each value of theirs is a leg, the newest first.")
	a.legs.from(m, "multi_leg_info")
	a.reasonHeader = m.Bool("reason_from_hf", false,
		"Whether reason is the value of the header Reason, if the response has one.")
	a.times.define(m)
	a.notYet(m)

	acc := &route.Accounting{Heard: a.heard}
	m.Accounts(acc)
	m.Ready(func() error {
		acc.Flags = bit(*a.answered) | bit(*a.missed)
		acc.Keeps = acc.Flags | bit(*later)
		acc.All, acc.Acks = *all, *acks
		if acc.Acks {
			m.Settings().Txn.FindCalls = true
		}
		return nil
	})
	m.Compiles(func(b *route.VarBuild) {
		a.extra.compile(b)
		a.legs.compile(b)
		for _, f := range a.legs {
			if f.place != nil && f.place.AVP == nil {
				b.Errorf("multi_leg_info: %s is no AVP such as $avp(x)", f.variable)
			}
		}
	})
	a.functions(m)
}

// notYet declares what belongs to databases and to dialogs.
func (a *acc) notYet(m *route.Module) {
	for _, name := range [...]string{"db_flag", "db_missed_flag"} {
		m.Int(name, noFlag, noFlag, 31, "A flag of the lines that go to a database.")
		m.NotYet(name)
	}
	for _, p := range [...][2]string{{"db_url", ""}, {"db_table_acc", "acc"},
		{"db_table_missed_calls", "missed_calls"}, {"acc_method_column", "method"},
		{"acc_from_tag_column", "from_tag"}, {"acc_to_tag_column", "to_tag"},
		{"acc_callid_column", "callid"}, {"acc_sip_code_column", "sip_code"},
		{"acc_sip_reason_column", "sip_reason"}, {"acc_time_column", "time"}, {"db_extra", ""},
		{"cdr_extra", ""}, {"cdr_skip", ""}, {"cdr_start_id", "start_time"},
		{"cdr_end_id", "end_time"}, {"cdr_duration_id", "duration"}, {"cdrs_table", ""},
		{"cdr_facility", "LOG_DAEMON"}} {
		m.Text(p[0], p[1], "Of the lines that go to a database, and of the records of calls.")
		m.NotYet(p[0])
	}
	for _, name := range [...]string{"db_insert_mode", "acc_extra_nullable", "cdr_enable",
		"cdr_expired_dlg_enable", "cdr_start_on_confirmed", "cdr_extra_nullable", "cdr_log_enable",
		"cdr_on_failed"} {
		m.Int(name, 0, 0, 2, "Of the lines that go to a database, and of the records of calls.")
		m.NotYet(name)
	}
	m.IdleInt("there is no limit but that of a line", "acc_extra_size", "cdr_extra_size")
	m.IdleInt("a request that is accounted is kept in any case", "clone_msg")
}

func bit(flag int) uint32 {
	if flag < 0 {
		return 0
	}
	return 1 << flag
}

// facilities are the facilities of syslog.
var facilities = []string{"LOG_DAEMON", "LOG_AUTH", "LOG_AUTHPRIV", "LOG_CRON", "LOG_FTP",
	"LOG_KERN", "LOG_LOCAL0", "LOG_LOCAL1", "LOG_LOCAL2", "LOG_LOCAL3", "LOG_LOCAL4", "LOG_LOCAL5",
	"LOG_LOCAL6", "LOG_LOCAL7", "LOG_LPR", "LOG_MAIL", "LOG_NEWS", "LOG_SYSLOG", "LOG_USER",
	"LOG_UUCP"}

// takeFilter reads failed_filter.
func (a *acc) takeFilter(s string) error {
	a.filter = a.filter[:0]
	for code := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(code))
		if err != nil || n < 300 || n > 999 {
			return fmt.Errorf("%s is no code from 300 to 999: write as in \"404,487\"",
				route.Quote(code))
		}
		a.filter = append(a.filter, n)
	}
	return nil
}

// field is one value of log_extra: its name, with what stands around it, and the variable.
type field struct {
	name, variable string // ";name=", "$variable"
	place          *route.Place
	// turned is the variable that takes its place if From and To change places, nil for itself.
	turned *route.Place
}

type fields []field

// from reads the fields from a parameter, whose last value counts.
func (list *fields) from(m *route.Module, param string) {
	m.Check(param, func(s string, _ int64) string {
		*list = nil
		for s != "" {
			name, rest, _ := strings.Cut(s, "=")
			name, rest = strings.TrimSpace(name), strings.TrimLeft(rest, " \t")
			n := route.VariableLen(rest)
			behind := strings.TrimLeft(rest[n:], " \t")
			if name == "" || n == 0 || behind != "" &&
				(behind[0] != ';' || strings.TrimSpace(behind[1:]) == "") {
				return "is not written as \"name=$variable;name=$variable\": see " + route.Quote(s)
			}
			*list = append(*list, field{name: ";" + name + "=", variable: rest[:n]})
			s = strings.TrimPrefix(behind, ";")
		}
		return ""
	})
}

// compile looks up the variables.
func (list fields) compile(b *route.VarBuild) {
	for i := range list {
		f := &list[i]
		f.place = b.Place(f.variable)
		if t := turned(f.variable); t != "" {
			f.turned = b.Place(t)
		}
	}
}

// turned returns the variable about To that is like v, one about From, and the reverse. It returns
// "" if v is about neither.
func turned(v string) string {
	for _, name := range [...]string{"u", "U", "d", "n", "t"} {
		if v == "$f"+name {
			return "$t" + name
		}
		if v == "$t"+name {
			return "$f" + name
		}
	}
	return ""
}
