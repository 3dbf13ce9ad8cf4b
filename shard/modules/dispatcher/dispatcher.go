// Package dispatcher chooses where a request goes among sets of destinations: Kamailio's module
// dispatcher. Package balance has the lists and the algorithms.
package dispatcher

import (
	"strings"
	"time"

	"viaduct/shard/balance"
	"viaduct/shard/route"
)

// Define is the module.
func Define(m *route.Module) {
	m.Event("dispatcher:dst-down", "A destination has become inactive. The route runs on a "+
		"request to it.")
	m.Event("dispatcher:dst-up", "A destination is active again. The route runs on a request to "+
		"it.")
	d := &m.Settings().Dispatcher
	m.TextVar(&d.ListFile, "list_file",
		"The file with the destinations. A relative path starts at the working directory.")
	m.BoolVar(&d.ListOptional, "list_optional",
		"Viaduct's own: a missing list_file is an empty list instead of an error.")
	flags := m.Int("flags", 0, 0, 3,
		"1: algorithms 1 to 3 hash the user part only. 2: the program may go on to the "+
			"destinations after the one chosen; without it ds_next_dst, ds_set_dst and the like "+
			"are false.")
	force := m.Bool("force_dst", true, "Whether ds_select_dst overwrites a $du that is set already.")
	m.BoolVar(&d.List.UseDefault, "use_default",
		"Whether the last destination of a set is kept for when no other is left.")
	hashed := m.Text("hash_pvar", "", "The text with variables that algorithm 7 hashes.")

	m.DurationVar(&d.Probes.Interval, "ds_ping_interval", time.Second, 0, route.MaxSeconds,
		"Seconds between probes; 0: no probes.")
	m.TextVar(&d.Probes.Method, "ds_ping_method", "The method of probes.")
	m.TextVar(&d.Probes.From, "ds_ping_from", "The From URI of probes.")
	good := m.Text("ds_ping_reply_codes", "",
		`The responses that count as success, such as "class=2;code=403"; empty: 2xx.`)
	m.Check("ds_ping_reply_codes", func(s string, _ int64) string {
		if _, err := balance.ParseReplyCodes(s); err != nil {
			return "has " + err.Error()
		}
		return ""
	})
	m.Ready(func() (err error) {
		d.Probes.UserAgent = m.Settings().UserAgent()
		d.Probes.ReplyCodes, err = balance.ParseReplyCodes(*good)
		return err
	})
	m.IdleInt("latencies of probes are always kept", "ds_ping_latency_stats")
	m.IntVar(&d.List.LatencyKept, "ds_latency_estimator_alpha", 1, 999,
		"The weight of earlier latencies in the estimate, in thousandths.")
	m.IntVar((*int)(&d.Probes.Mode), "ds_probing_mode", 0, 3,
		"Which destinations are probed; 0: those marked P.")
	m.IntVar(&d.List.ProbingThreshold, "ds_probing_threshold", 1, 1<<31-1,
		"How many failures make a destination inactive.")
	m.IntVar(&d.List.InactiveThreshold, "ds_inactive_threshold", 1, 1<<31-1,
		"How many successes make it active again.")

	m.Text("outbound_proxy", "", "Where probes go.")
	m.Text("ds_default_socket", "", "The socket that probes leave from.")
	m.DurationVar(&d.ReloadDelta, "reload_delta", time.Second, 0, route.MaxSeconds,
		"The minimum number of seconds between two reloads of the list.")
	m.NotYet("ds_default_socket", "outbound_proxy")
	m.IdleText("ds_default_socket names the socket by its address", "ds_default_sockname")
	m.IdleText("there is no embedded interpreter: event_route[dispatcher:dst-down] and dst-up run",
		"event_callback")
	const noDB = "destinations are read from list_file: no database is asked for them"
	m.IdleText(noDB, "db_url", "table_name", "setid_col", "destination_col", "flags_col",
		"priority_col", "attrs_col", "ds_db_extra_attrs")
	const kept = "the list of destinations is kept in the transaction; xavp_dst shows it, and how " +
		"many there are: $xavp(_dsctx_=>cnt) is null"
	m.IdleText(kept, "xavp_ctx")
	m.IdleInt(kept, "xavp_ctx_mode")
	const since5 = "Kamailio 5.0 has dropped it: xavp_dst shows the destinations, as " +
		"$xavp(_dsdst_=>uri)"
	m.IdleAny(since5, "dst_avp", "grp_avp", "cnt_avp", "dstid_avp", "attrs_avp", "sock_avp")
	m.IdleInt("it is spelt ds_probing_threshold", "ds_probing_threshhold")
	m.IdleInt("probes have their own goroutine already", "ds_timer_mode")
	m.IdleInt("a list with a bad line is refused as a whole", "ds_load_mode")
	m.IdleInt("names are resolved when a call needs them, from a cache", "ds_dns_mode",
		"ds_dns_interval", "ds_dns_ttl")

	vars := destinationVars{
		failover: func() bool { return *flags&2 != 0 },
		xavp: m.Text("xavp_dst", "_dsdst_",
			"The XAVP for the destinations chosen. It is set if the file has this parameter."),
		given: m.Given("xavp_dst"),
		mode:  m.Int("xavp_dst_mode", 0, 0, 7, "1: without attrs. 2: with socket. 4: with sockname."),
		empty: m.Bool("ds_attrs_none", false, "Whether a destination without attributes gets an "+
			"empty attrs."),
	}
	m.Check("xavp_dst", func(s string, _ int64) string {
		if s == "" {
			return "is empty; it is the name of an XAVP"
		}
		return ""
	})
	calls := &calls{}
	calls.define(m)
	hashes := &hashing{variable: hashed, userOnly: func() bool { return *flags&1 != 0 }}
	selections(m, &vars, calls, hashes, force)
	lists(m)
	commands(m)
}

// dstState brings a state into the form of balance.ParseMark. "p" alone is active and probed, as in
// Kamailio.
func dstState(s string) (string, bool) {
	if s == "" {
		return "i", true
	}
	state, probing := "", ""
	for _, ch := range strings.ToLower(s) {
		switch {
		case ch == 'p' && probing == "":
			probing = "p"
		case strings.ContainsRune("aidt", ch) && state == "":
			state = string(ch)
		default:
			return "", false
		}
	}
	if state == "" {
		state = "a"
	}
	return state + probing, true
}
