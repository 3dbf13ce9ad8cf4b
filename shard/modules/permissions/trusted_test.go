package permissions

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/moduletest"
	"viaduct/shard/modules/pv"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// tables is a bench with the tables of a folder, and tells which module a load made.
func tables(t *testing.T, dir, more string) (*moduletest.Bench, func() *permissions) {
	path, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var p *permissions
	b := moduletest.New(t, route.Declared{Name: "pv", Define: pv.Define},
		route.Declared{Name: "db_text", Define: dbtext.Define},
		route.Declared{Name: "permissions", Define: func(m *route.Module) { p = define(m) }})
	b.Head = `modparam("permissions", "db_url", "text://` + path + `")
modparam("permissions", "db_mode", 1)
modparam("permissions", "peer_tag_avp", "$avp(tag)")
` + more
	return b, func() *permissions { return p }
}

// TestTables plays testdata/tables.txt.
func TestTables(t *testing.T) {
	b, _ := tables(t, "testdata/db", "")
	b.Check("testdata/tables.txt")
}

// TestAllTags: the tags of all peers that fit are taken.
func TestAllTags(t *testing.T) {
	b, _ := tables(t, "testdata/db", `modparam("permissions", "peer_tag_mode", 1)`)
	f := func(ip, want string) {
		t.Helper()
		got := b.Value(`$var(r) = allow_trusted("`+ip+`", "udp");`, `"$var(r) $(avp(tag)[*])"`)
		if got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
	f("10.0.0.4", "'2 low, high'")
	f("10.0.0.9", "'2 b, a'")
	f("10.0.0.1", "'1 t1'")
}

// TestOwn: without arguments it is where the request came from, and who it is from.
func TestOwn(t *testing.T) {
	b, _ := tables(t, "testdata/db", "")
	if got := b.Value("$var(r) = allow_trusted();", `"$var(r) $avp(tag)"`); got != "'1 lo'" {
		t.Error(got)
	}
	p, _, err := b.Load(`request_route { allow_trusted(); allow_trusted("10.0.0.2", "udp"); }`)
	if err != nil {
		t.Fatal(err)
	}
	run := func() { p.Request(b.Ctx, b.Begin(b.Msg(), b.Source())) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const (
	trustedHead = "src_ip(string) proto(string) from_pattern(string,null) " +
		"ruri_pattern(string,null) tag(string,null) priority(int)\n"
	addressHead = "grp(int) ip_addr(string) mask(int,null) port(int,null) tag(string,null)\n"
)

func TestTableMistakes(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(addresses, peers, more, want string) {
		t.Helper()
		put("address", addressHead+addresses)
		put("trusted", trustedHead+peers)
		b, _ := tables(t, dir, more)
		_, _, err := b.Load("request_route { allow_trusted(); }")
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("%s, %s: %s, want %s", addresses, peers, got, want)
		}
	}
	f("", "", "", "<nil>")
	f("1:x/y:::\n", "", "", `address:2: "x/y" is no address`)
	f("1:10.0.0.0:33::\n", "", "", `address:2: the mask is "33"`)
	f("", "10.0.0.1:any:(::a:0\n", "", `trusted:2: "(": bad pattern`)
	f("", "10.0.0.1:ipx:::a:0\n", "", `trusted:2: there is no protocol "ipx"; there are any, udp`)
	f("", ":any:::a:0\n", "", `trusted:2: there is no address`)
	never := func(b *moduletest.Bench, want string) {
		t.Helper()
		_, w, err := b.Load("request_route { allow_trusted(); }")
		if err != nil || !strings.Contains(fmt.Sprint(w), "allow_trusted is never true: "+want) {
			t.Errorf("%v, %v; want %s", w, err, want)
		}
		if got := b.Value(`$var(r) = allow_trusted("1.2.3.4", "udp"); $var(s) = allow_trusted();`,
			`"$var(r) $var(s)"`); got != "'-1 -1'" {
			t.Errorf("allow_trusted gives %s", got)
		}
	}
	f("", "", `modparam("permissions", "load_backends", 1)`, "<nil>")
	without, _ := tables(t, dir, `modparam("permissions", "load_backends", 1)`)
	never(without, "load_backends leaves the trusted peers out: it needs 2")
	f("", "", `modparam("permissions", "priority_col", "prio")`, "there is no column prio")
	os.Remove(filepath.Join(dir, "trusted"))
	b, _ := tables(t, dir, "")
	b.Fails("allow_trusted();", "allow_trusted: cannot read the table: open "+dir+
		"/trusted: no such file or directory")
	b.Run(`allow_address("1", "10.0.0.1", "0");`) // who does not ask for peers needs none
	b.Fails(`allow_trusted("$si");`, "allow_trusted wants the transport behind the address, or "+
		"neither")
	b.Head = ""
	never(b, `there are no trusted peers: write their table into a folder and `+
		`modparam("permissions", "db_url", "text:///FOLDER")`)
}

func TestTrustedCommands(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("address", addressHead+"1:10.0.0.1:::\n")
	put("trusted", trustedHead+"h:any:::a:0\n10.0.0.2:UDP:^sip::b:1\n")
	b, last := tables(t, dir, "")
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	m := last()
	call := func(name string) string {
		for _, c := range p.Commands() {
			if c.Name == "permissions."+name {
				v, err := c.Call(command.Args{})
				text, _ := json.Marshal(v)
				return fmt.Sprint(string(text), " ", err)
			}
		}
		return "no command"
	}
	f := func(name, want string) {
		t.Helper()
		if got := call(name); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
	f("trustedDump", `[{"table":0,"item":{"ip":"10.0.0.2","proto":"udp","pattern":"^sip",`+
		`"ruri_pattern":"NULL","tag":"b","priority":1}},{"table":1,"item":{"ip":"h","proto":"any",`+
		`"pattern":"NULL","ruri_pattern":"NULL","tag":"a","priority":0}}] <nil>`)
	put("trusted", trustedHead+"h:ipx:::a:0\n")
	f("trustedReload", "null 500 - Reload failed: "+dir+`/trusted:2: there is no protocol "ipx"; `+
		"there are any, udp, tcp, tls, sctp, ws, wss, none")
	put("trusted", trustedHead)
	f("trustedReload", "null 500 - ongoing reload")
	m.nextTrusted = time.Time{}
	f("trustedReload", `"Reload OK" <nil>`)
	f("trustedDump", `[] <nil>`)
	put("address", addressHead+"1:10.0.0.2:::\n")
	f("addressReload", `"Reload OK" <nil>`)
	f("addressDump", `[{"table":0,"group":1,"item":{"ip":"10.0.0.2","port":0,"tag":"NULL"}}] <nil>`)
}
