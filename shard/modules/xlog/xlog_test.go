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
