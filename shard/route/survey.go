package route

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// useKind is the kind of a name that a file uses.
type useKind uint8

const (
	useModule useKind = iota
	useSetting
	useParam
	useFunc
	useVar
	useTransform
	useEvent
)

// String returns the kind in words.
func (k useKind) String() string {
	return [...]string{"module", "core parameter", "parameter", "function", "variable",
		"transformation", "event route"}[k]
}

// Fate says what becomes in Viaduct of a name that a file uses.
type Fate uint8

const (
	Runs    Fate = iota // it works
	Idle                // it is accepted and has no effect
	Missing             // Kamailio has it, Viaduct does not
	Refused             // Viaduct has it, and the file has a mistake there
)

// Use is a name that a file uses, with all its places.
type Use struct {
	Kind   useKind
	Name   string // as the file writes it: "save", "$dlg", "{s.len}", "fr_timer"
	Module string // Kamailio's module that has it, "core" if it needs none
	Fate   Fate
	Note   string // why it has no effect, or what to write in its place
	Places []Pos

	refused []Pos // see Refused
}

// Survey collects what a file uses, whether Viaduct has it or not. It leaves nothing out, where the
// list of errors ends at the hundredth. The zero value is ready.
type Survey struct {
	uses map[nameOf]*Use
	seen map[usedAt]bool
	// broken says that what is added stands in a statement with a syntax error
	broken bool
	// Errors and Warnings are those that Load returned.
	Errors   ErrorList
	Warnings Warnings
}

type usedAt struct {
	nameOf
	pos Pos
}

// add records a use. A macro or an expression that is compiled twice counts once.
func (s *Survey) add(u Use, pos Pos) {
	if s == nil {
		return
	}
	if s.uses == nil {
		s.uses, s.seen = map[nameOf]*Use{}, map[usedAt]bool{}
	}
	k := keyOf(u.Kind, u.Name, u.Module)
	at := usedAt{k, pos}
	if s.seen[at] {
		return
	}
	s.seen[at] = true
	have := s.uses[k]
	if have == nil {
		have = &u
		s.uses[k] = have
	}
	have.Places = append(have.Places, pos)
	if s.broken {
		s.refuse(k, pos)
	}
}

// keyOf returns what a name is counted by. Parameters of two modules may have the same name.
func keyOf(kind useKind, name, module string) nameOf {
	if kind == useParam {
		name = module + "." + name
	}
	return nameOf{kind, name}
}

// Uses returns the names with a fate, sorted by feature, kind, module and name.
func (s *Survey) Uses(fate Fate) (all []*Use) {
	for _, u := range s.uses {
		if u.Fate == fate && len(u.Places) > 0 {
			all = append(all, u)
		}
		if fate == Refused && len(u.refused) > 0 {
			r := *u
			r.Fate, r.Places = Refused, u.refused
			all = append(all, &r)
		}
	}
	slices.SortFunc(all, func(a, b *Use) int {
		return cmp.Or(strings.Compare(a.Feature(), b.Feature()), cmp.Compare(a.Kind, b.Kind),
			strings.Compare(a.Module, b.Module), strings.Compare(a.Name, b.Name))
	})
	return all
}

// Feature returns what the name is for. Modules that serve the same purpose share one feature.
func (u *Use) Feature() string {
	if u.Kind == useModule {
		return featureOf(u.Name)
	}
	return featureOf(u.Module)
}

// features lists the modules that serve the same purpose, behind a name for it.
var features = [][]string{
	{"registrar and location", "registrar", "usrloc", "p_usrloc", "dmq_usrloc"},
	{"media relay", "rtpengine", "rtpproxy", "mediaproxy", "rtpproxy-ng", "rtpproxy_ng",
		"iptrtpproxy", "rtp_media_server"},
	{"authentication", "auth", "auth_db", "auth_diameter", "auth_ephemeral", "auth_identity",
		"auth_radius", "auth_xkeys", "uid_auth_db", "secsipid", "stirshaken", "jwt"},
	{"dialogs", "dialog", "dialog_ng", "dlgs", "sst"},
	{"accounting", "acc", "acc_json", "acc_radius", "acc_diameter", "acc_db", "acc_syslog"},
	{"presence", "presence", "presence_conference", "presence_dialoginfo", "presence_mwi",
		"presence_profile", "presence_reginfo", "presence_xml", "pua", "pua_bla",
		"pua_dialoginfo", "pua_json", "pua_mi", "pua_reginfo", "pua_rpc", "pua_usrloc", "pua_xmpp",
		"rls", "pa", "presence_b2b", "xcap_client", "xcap_server"},
	{"databases", "sqlops", "db_mysql", "db_postgres", "db_sqlite", "db_unixodbc", "db_text",
		"db_mongodb", "db_oracle", "db_redis", "db_cluster", "db_berkeley", "db_cassandra",
		"db_perlvdb", "db2_ops", "db_ops", "mysql", "postgres", "dbtext", "unixodbc", "oracle"},
	{"least-cost and prefix routing", "lcr", "drouting", "carrierroute", "prefix_route", "pdt",
		"mtree", "enum"},
	{"domains and users", "domain", "domainpolicy", "uid_domain", "group", "alias_db", "speeddial",
		"uri_db", "uid_uri_db", "uid_avp_db", "avp_db", "uri", "userblocklist", "userblacklist"},
	{"HTTP clients", "http_client", "http_async_client", "utils"},
	{"NoSQL stores", "ndb_redis", "ndb_mongodb", "ndb_cassandra", "memcached"},
	{"embedded languages", "app_lua", "app_lua_sr", "app_python", "app_python3", "app_perl",
		"app_jsdt", "app_mono", "app_ruby", "app_sqlang", "app_java", "perl", "python", "lua"},
	{"tracing", "siptrace", "sipcapture", "sipdump"},
	{"topology hiding", "topoh", "topos", "topos_redis", "topos_htable"},
	{"IMS", "cdp", "cdp_avp", "ims_auth", "ims_charging", "ims_dialog", "ims_diameter_server",
		"ims_icscf", "ims_ipsec_pcscf", "ims_isc", "ims_ocs", "ims_qos", "ims_registrar_pcscf",
		"ims_registrar_scscf", "ims_usrloc_pcscf", "ims_usrloc_scscf"},
	{"message queues and events", "rabbitmq", "kazoo", "kafka", "mqtt", "nats", "nsq", "evapi",
		"erlang"},
	{"traffic limits", "pipelimit", "ratelimit", "pike"},
}

// featureOf returns what a module is for. A module that serves a purpose alone is its own feature.
func featureOf(module string) string {
	for _, f := range features {
		if slices.Contains(f[1:], module) {
			return f[0]
		}
	}
	return module
}

// missing reports a name that Kamailio has and Viaduct does not, unless its module has been
// reported. It returns false if no version of Kamailio has the name.
func (cc *compiler) missing(kind useKind, pos Pos, name, shown string) bool {
	m, why := knownIn(kind, name, cc.loaded), "known to Kamailio, not implemented by Viaduct yet"
	u := Use{Kind: kind, Name: shown, Module: m, Fate: Missing}
	if m == "" {
		o := other(kind, "", name)
		if o == nil {
			return false
		}
		m, why = o.module, o.String()
		u.Module, u.Note = m, o.instead
	}
	cc.ld.survey.add(u, pos)
	what := shown
	if (kind == useFunc && m != core || kind == useTransform) && m != "-" {
		what += " (module " + m + ")"
	}
	if (kind == useFunc || kind == useEvent || kind == useVar) && cc.ofAbsent(m, shown) {
		return true
	}
	cc.ld.errorf(pos, "%s is %s", what, why)
	return true
}

// near returns the end of a message that suggests the nearest of names. It does not search if the
// list of errors is full.
func (cc *compiler) near(name string, names func() []string) string {
	if cc.ld.Full() {
		return ""
	}
	return DidYouMean(name, names())
}

// Summary returns a line for each feature of which something is missing: what is missing, how often
// it is used, and where first. Nothing is left out.
func (s *Survey) Summary() (lines []string) {
	all := s.Uses(Missing)
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(u *Use) bool { return u.Feature() != all[0].Feature() })
		if n < 0 {
			n = len(all)
		}
		lines = append(lines, all[0].Feature()+": not there yet: "+list(all[:n]))
		all = all[n:]
	}
	return lines
}

// list returns what is missing of one feature. Parameters are only counted.
func list(all []*Use) string {
	var words, params []string
	first := all[0].Places[0]
	for _, u := range all {
		if p := u.Places[0]; p.File == first.File && p.Line < first.Line {
			first = p
		}
		n := len(u.Places)
		switch {
		case u.Kind == useParam:
			params = append(params, u.Name)
			continue
		case u.Kind == useModule:
			words = append(words, "module "+u.Name)
			continue
		}
		words = append(words, u.Name+" ("+strconv.Itoa(n)+")")
	}
	if len(params) > 0 {
		words = append(words, count(len(params), "parameter"))
	}
	return strings.Join(words, ", ") + "; first at " + first.String()
}
