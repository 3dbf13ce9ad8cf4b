package xlog

import (
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
)

func bench(t *testing.T) *moduletest.Bench {
	return moduletest.New(t, route.Declared{Name: "xlog", Define: Define})
}

// TestLines: the lines, and what stands before them. The first line of a body is the second of the
// file's route, and there are two lines above.
func TestLines(t *testing.T) {
	b := bench(t)
	f := func(head, body, want string) {
		t.Helper()
		b.Head = head
		b.Run(body)
		if got := strings.Join(b.Lines, "|"); got != want {
			t.Errorf("%s logs %q, want %q", body, got, want)
		}
	}
	f("", `xlog("a $rm\n"); xlog("L_INFO", "b"); xlog(3, "c$$");`, "<script>: a INVITE|<script>: b|<script>: c$")
	f("", `$var(l) = L_ERR; xlog("$var(l)", "a $var(l)"); $var(l) = "L_NOTICE"; xlog("$var(l)", "b");
$var(l) = "x"; xlog("$var(l)", "c"); xlog($var(l), "d"); xlog("L_WARNING", "e");`,
		"<script>: a -1|<script>: b|<script>: e")
	f("", `xdbg("1"); xinfo("2"); xnotice("3"); xwarn("4"); xerr("5"); xcrit("6"); xbug("7"); xalert("8");`,
		"<script>: 1|<script>: 2|<script>: 3|<script>: 4|<script>: 5|<script>: 6|<script>: 7|<script>: 8")
	// Kamailio 5.6.3 writes "INFO: <script>: 14:level and text OPTIONS".
	f("", "xlogl(\"L_INFO\", \"a $rm\\n\");\nxlogl(\"b\"); xdbgl(\"c\");", "<script>: 3:a INVITE|<script>: 4:b|<script>: 4:c")
	f(`modparam("xlog", "prefix", "> ")`, `xlog("a"); xlogl("b");`, "> a|> 3:b")
	f(`modparam("xlog", "buf_size", 5) modparam("xlog", "prefix", "")`, `xlog("123456789");`, "12345…")
	long := strings.Repeat("x", 60_000)
	f(`modparam("xlog", "buf_size", 65536) modparam("xlog", "prefix", "")`, `xlog("`+long+`");`, long)
	f("", `xlog("$hdr(No)$rs"); xlog("two\r\n"); $var(t) = "L_INFO"; xlog("$var(t)");`,
		"<script>: <null><null>|<script>: two|<script>: L_INFO")
}

func TestErrors(t *testing.T) {
	b := bench(t)
	b.Fails(`xlog("LINFO", "a");`, `unknown level "LINFO"; did you mean L_INFO?`)
	b.Fails(`xinfo("a", "b");`, `xinfo takes 1 argument, not 2`)
	b.Fails(`xinfo("$nope");`, `unknown variable $nope`)
}

// TestPrefixes: what stands before a line where parameters say so, and the lines that are left out.
// All of it is as 5.6.3 writes it.
func TestPrefixes(t *testing.T) {
	b := bench(t)
	f := func(head, body, want string) {
		t.Helper()
		b.Head = head
		b.Run(body)
		if got := strings.Join(b.Lines, "|"); got != want {
			t.Errorf("%s logs %q, want %q", body, got, want)
		}
	}
	f(`modparam("xlog", "long_format", 1)`, `xlogl("m1"); xlog("m2");`, "<script>: x.cfg:3:m1|<script>: m2")
	f(`modparam("xlog", "prefix", "$rm: ") modparam("xlog", "prefix_mode", 1)`, `xlogl("m1"); xerr("m2");`,
		"INVITE: 3:m1|INVITE: m2")
	f(`modparam("xlog", "prefix", "$rm: ")`, `xerr("m2");`, "$rm: m2")
	f("", `xlogm("L_ERR", "m1");`, "")
	f(`modparam("xlog", "methods_filter", 0)`, `xlogm("L_ERR", "m1");`, "<script>: m1")
	f(`modparam("xlog", "methods_filter", 1)`, `xlogm("L_ERR", "m1");`, "")
	f(`modparam("xlog", "methods_filter", 2)`, `xlogm("L_ERR", "m1");`, "<script>: m1")
	f("", `xlog("LOG_LOCAL3", "L_ERR", "m1"); xlogl("LOG_DAEMON", "L_INFO", "m2");`, "<script>: m1|<script>: 3:m2")
	b.Head = ""
	b.Fails(`xlog("LOG_NONE", "L_ERR", "m1");`, `there is no facility "LOG_NONE"`)
	b.Head = `modparam("xlog", "prefix", "$nonsense(") modparam("xlog", "prefix_mode", 1)`
	if _, _, err := b.Load(`request_route { xlog("a"); }`); err == nil {
		t.Error("a prefix that is no text with variables is taken")
	}
}

// TestColors: what makes a terminal change colours.
func TestColors(t *testing.T) { bench(t).Check("testdata/colors.txt") }
