package sanity

import (
	"fmt"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

func bench(t testing.TB, params ...string) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "sl", Define: sl.Define},
		route.Declared{Name: "textops", Define: textops.Define},
		route.Declared{Name: "xlog", Define: xlog.Define},
		route.Declared{Name: "sanity", Define: Define})
	for _, p := range params {
		b.Head += fmt.Sprintf("modparam(\"sanity\", %s)\n", p)
	}
	return b
}

// TestChecks: what fails, by each bit, and what Kamailio makes of it.
func TestChecks(t *testing.T) {
	bench(t, `"autodrop", 0`, `"noreply", 1`).Wire("testdata/checks.txt")
}

// TestAnswers: what is sent by the check or by sanity_reply, and where the script ends. Kamailio
// writes "Ivalid To Header", and its 400 for a scheme that it does not know.
func TestAnswers(t *testing.T) {
	const contact = "Contact: <foo>\r\n"
	// outcome is how the run ended, the first lines of what was sent, and the script's own lines.
	f := func(rows, body, want string, params ...string) {
		t.Helper()
		b := bench(t, params...)
		b.Message(strings.Replace(moduletest.Request, "Contact: <sip:alice@127.0.0.1:15998>\r\n", rows, 1))
		if strings.HasPrefix(rows, "ACK") {
			b.Message(strings.ReplaceAll(strings.Replace(moduletest.Request, "Contact: <sip:alice@127.0.0.1:15998>\r\n", contact,
				1), "INVITE", "ACK"))
		}
		before := len(b.Sent)
		o, _ := b.Run(body)
		got := fmt.Sprint(o, " ")
		for _, s := range b.Sent[before:] {
			line, _, _ := strings.Cut(string(s.Text), "\r\n")
			got += line + " "
		}
		if got += strings.Join(b.Lines, " "); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	const check = `sanity_check("1024", "8"); $var(r) = $rc; xlog("$var(r)");`
	f("", check, fmt.Sprint(route.Ended, " <script>: 1"))
	f(contact, check, fmt.Sprint(route.Dropped, " SIP/2.0 400 Bad Contact URI "))
	f(contact, `if (!sanity_check("1024", "8")) xlog("no");`, fmt.Sprint(route.Dropped, " SIP/2.0 400 Bad Contact URI "))
	f(contact, `route(X); xlog("after"); } route[X] { sanity_check("1024", "8");`,
		fmt.Sprint(route.Dropped, " SIP/2.0 400 Bad Contact URI "))
	f(contact, check, fmt.Sprint(route.Ended, " SIP/2.0 400 Bad Contact URI <script>: -1"), `"autodrop", 0`)
	f(contact, check, fmt.Sprint(route.Dropped, " "), `"noreply", 1`)
	f("ACK", check, fmt.Sprint(route.Dropped, " "))
	f("Expires: x\r\n"+contact, `sanity_check();`, fmt.Sprint(route.Dropped, " SIP/2.0 400 Expires value is illegal "))
	f("Expires: x\r\n"+contact, `sanity_check();`, fmt.Sprint(route.Dropped, " SIP/2.0 400 Bad Contact URI "),
		`"default_checks", 1024`, `"uri_checks", 8`)
	const reply = check + ` sanity_reply(); $var(r) = $rc; xlog("$var(r)");`
	f(contact, reply, fmt.Sprint(route.Ended, " SIP/2.0 400 Bad Contact URI <script>: -1 <script>: 1"),
		`"noreply", 1`, `"autodrop", 0`)
	f("", reply, fmt.Sprint(route.Ended, " SIP/2.0 500 Server Sanity Failure <script>: 1 <script>: 1"),
		`"noreply", 1`, `"autodrop", 0`)
	f("ACK", reply, fmt.Sprint(route.Ended, " <script>: -1 <script>: 1"), `"noreply", 1`, `"autodrop", 0`)
}

// TestForgets: a message is not answered for what failed in the one before.
func TestForgets(t *testing.T) {
	b := bench(t, `"noreply", 1`)
	b.Message(strings.Replace(moduletest.Request, "<sip:alice@127.0.0.1:15998>", "<foo>", 1))
	p, _, err := b.Load(`request_route { if ($hdr(X-Foo) == "one") sanity_check("1024", "8"); sanity_reply(); }`)
	if err != nil {
		t.Fatal(err)
	}
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	b.Message(strings.Replace(moduletest.Request, "X-Foo: one", "X-Foo: zero", 1))
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	if n := len(b.Sent); n == 0 || !strings.HasPrefix(string(b.Sent[n-1].Text), "SIP/2.0 500 Server Sanity Failure") {
		t.Errorf("sent: %q", b.Sent)
	}
}

func TestErrors(t *testing.T) {
	b := bench(t)
	b.Fails(`} failure_route[X] { sanity_reply();`,
		`sanity_reply may be called in request_route, onreply_route[NAME] and reply_route, not in failure_route`)
}
