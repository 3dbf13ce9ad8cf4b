package route

import (
	"fmt"
	"strings"
	"testing"
)

// surveyOf loads a text and gives its survey.
func surveyOf(src string) (*Survey, error) {
	s := &Survey{}
	_, _, _, err := Load("x.cfg", []byte(src), Options{Modules: testModules, Survey: s})
	return s, err
}

// TestSurvey holds what a file uses, with all places: what is missing inside the arguments of what
// is missing, behind a syntax error, and what runs.
func TestSurvey(t *testing.T) {
	s, err := surveyOf(`loadmodule "registrar.so"
loadmodule "sl.so"
modparam("registrar", "max_contacts", 1)
request_route {
	if (( { }
	save("location");
	lookup($dbr(a=>b));
	sl_send_reply("200", "OK $hep(x)");
	acc_db_request("$xavu(a) $msrp(b)");
}
route[A] { lookup("location"); }
`)
	if err == nil {
		t.Fatal("no error")
	}
	show := func(all []*Use) (lines []string) {
		for _, u := range all {
			line := fmt.Sprintf("%s: %s %s", u.Feature(), u.Kind, u.Name)
			for _, p := range u.Places {
				line += fmt.Sprintf(" %d:%d", p.Line, p.Col)
			}
			lines = append(lines, line)
		}
		return lines
	}
	got := strings.Join(show(s.Uses(Missing)), "\n")
	want := `accounting: function acc_db_request 9:2
databases: variable $dbr 7:9
msrp: variable $msrp 9:17
registrar and location: module registrar 1:12
registrar and location: parameter max_contacts 3:23
registrar and location: function lookup 7:2 11:12
registrar and location: function save 6:2
tracing: variable $hep 8:23`
	if got != want {
		t.Errorf("missing:\n%s\nwant\n%s\nerrors:\n%v", got, want, err)
	}
	if got := strings.Join(show(s.Uses(Runs)), "\n"); !strings.Contains(got, "sl: function sl_send_reply 8:2") {
		t.Errorf("runs:\n%s", got)
	}
}

// TestSurveyIsWhole: the list of errors ends at the hundredth, the survey does not.
func TestSurveyIsWhole(t *testing.T) {
	s, err := surveyOf("request_route {\n" + strings.Repeat("\tsave(\"location\");\n", 300) + "}\n")
	if err == nil || len(s.Uses(Missing)) != 1 || len(s.Uses(Missing)[0].Places) != 300 {
		t.Errorf("%d uses", len(s.Uses(Missing)))
	}
}

// TestOtherVersions: what Kamailio had or will have is never unknown, and what has taken its place
// is told.
func TestOtherVersions(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		_, _, _, err := Load("x.cfg", []byte(src), Options{Modules: testModules})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", src, err, want)
		}
	}
	in := func(body, want string) { t.Helper(); f(allModules+"request_route {\n"+body+"\n}", want) }
	f("loadmodule \"mysql.so\"\nrequest_route { exit; }",
		"module mysql is known to Kamailio until 3.0, not implemented by Viaduct; in Kamailio 5.6 it is module db_mysql")
	f("loadmodule \"uri.so\"\nrequest_route { exit; }", "in Kamailio 5.6 it is modules siputils and uri_db")
	in(`force_rtp_proxy();`, "force_rtp_proxy (module nathelper) is known to Kamailio until 4.4")
	in(`if (len_gt(2048)) exit;`, "len_gt is known to SER, not implemented by Viaduct; in Kamailio 5.6 it is "+
		"if (msg:len > SIZE)")
	in(`xlog("$(fu{val.json})");`, "{val.json} (module pv) is known to Kamailio from 5.7 on")
	in(`xlog("$(hdr(Via){via.host})");`, "{via.host} is known to OpenSIPS, not implemented by Viaduct")
	in(`xlog("$(rU{num.fdigit})");`, "{num.fdigit} (module pv) is known to Kamailio from 6.1 on")
	in(`if (is_sip()) exit;`, "is_sip (module siputils) is known to Kamailio from 6.0 on")
	in(`xlog("$ctu");`, "$ctu is known to Kamailio from 6.0 on")
	f("loadmodule \"pvtpl.so\"\nrequest_route { exit; }", "module pvtpl is known to Kamailio from 6.0 on")
	f("loadmodule \"microhttpd.so\"\nrequest_route { exit; }", "module microhttpd is known to Kamailio from 5.8 on")
	f("loadmodule \"siputils.so\"\nmodparam(\"siputils\", \"e164_max_len\", 5)\nrequest_route { exit; }",
		"siputils.e164_max_len is known to Kamailio from 5.7 on")
	in(`term_impu_registered("x");`, "term_impu_registered (module ims_registrar_scscf) is known to Kamailio")
	f("fifo=\"/tmp/x\"\nrequest_route { exit; }", "core parameter fifo is known to Kamailio until 3.0")
}
