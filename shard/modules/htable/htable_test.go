package htable

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shm/table"
)

const head = `
modparam("htable", "htable", "a=>size=4;")
modparam("htable", "htable", "b=>size=8;autoexpire=2;")
modparam("htable", "htable", "c=>size=4;autoexpire=100;initval=0;updateexpire=0;")
modparam("htable", "htable", "d=>size=3;autoexpire=3;initval=7")
`

func bench(t testing.TB) *moduletest.Bench {
	b := moduletest.New(t, route.Declared{Name: "htable", Define: Define})
	b.Head = head
	return b
}

// The values are those of Kamailio 5.6.3 with the same script.
func TestValues(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	const fill = `$sht(a=>n) = 5; $sht(a=>s) = "text"; $sht(a=>num) = "123"; $sht(a=>neg) = -5;`
	f("", "$sht(a=>none)", "null")
	f("", "$sht(c=>none)", "0")
	f("", "$sht(d=>none)", "7")
	f(fill, "$sht(a=>n)", "5")
	f("", "$sht(a=>s)", "'text'") // it stays from run to run
	f("", "$sht(a=>num)", "'123'")
	f("", "$sht(a=>neg)", "-5")
	f(`$sht(a=>e) = "";`, "$sht(a=>e)", "''")
	f("", "$shtinc(a=>n)", "6")
	f("", "$shtdec(a=>n)", "5")
	f("", "$shtinc(a=>none)", "null")
	f("", "$sht(a=>none)", "null")
	f("", "$shtinc(a=>s)", "null")
	f("", "$shtinc(a=>num)", "null")
	f("", "$sht(a=>num)", "'123'")
	f("", "$shtinc(c=>i)", "1")
	f("", "$shtdec(c=>j)", "-1")
	f("", "$shtinc(d=>i)", "8")
	f("$sht(a=>n) = $null;", "$sht(a=>n)", "null")
	f("$sht(a=>n) = $null;", "$sht(a=>n)", "null")
	f(`$var(k) = "s"; `, "$sht(a=>$var(k))", "'text'")
	f(`$var(k) = "s"; $sht(a=>x::$var(k)) = "mixed";`, "$sht(a=>x::s)", "'mixed'")
	f(`$sht(a=>arr[0]) = "z";`, "$sht(a=>arr[0])", "'z'")
	f(`$sht(a=>s) = $sht(a=>s) + "+";`, "$sht(a=>s)", "'text+'")
}

func TestExpiry(t *testing.T) {
	b := bench(t)
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f(`$sht(b=>k) = "one";`, "$shtex(b=>k)", "2")
	f(`$sht(a=>k) = "one";`, "$shtex(a=>k)", "0")
	f("", "$shtex(b=>none)", "0")
	f("", "$shtex(d=>none)", "0")
	f("$shtex(b=>k) = 50;", "$shtex(b=>k)", "50")
	f("$shtex(a=>k) = 50;", "$shtex(a=>k)", "0")
	f("$shtex(b=>none) = 50;", "$sht(b=>none)", "null")
	f("$sht(c=>u) = 1; $shtex(c=>u) = 40; $sht(c=>u) = 2;", "$shtex(c=>u)", "40")
	f("$sht(d=>u) = 1; $shtex(d=>u) = 40; $sht(d=>u) = 2;", "$shtex(d=>u)", "3")
	f("$shtex(c=>u) = 40; $var(x) = $shtinc(c=>u);", "$shtex(c=>u)", "40")
	f("$shtex(d=>u) = 40; $var(x) = $shtinc(d=>u);", "$shtex(d=>u)", "3")
	f(`sht_setxs("b", "x", "v", "60");`, "$shtex(b=>x)", "60")
	f(`sht_setxs("b", "x", "w", "0");`, "$shtex(b=>x)", "2")
	f("", "$sht(b=>x)", "'w'")
	f(`sht_setxi("b", "x", 77, 60);`, "$sht(b=>x)", "77")
	f(`sht_setxs("a", "x", "v", "60");`, "$shtex(a=>x)", "0")
	b.Wait(1999 * time.Millisecond)
	f("", "$sht(b=>k)", "'one'")
	b.Wait(time.Millisecond)
	f(`$sht(b=>k2) = 1; `, "$sht(b=>k2)", "1")
	b.Wait(2 * time.Second)
	f("", "$sht(b=>k2)", "null")
	f("", "$sht(b=>k)", "'one'") // 50 s
	f("", "$sht(a=>x)", "'v'")
}

func TestConditions(t *testing.T) {
	b := bench(t)
	b.Run(`$sht(a=>p1) = "v1"; $sht(a=>p2) = "v2"; $sht(a=>q3) = 3; $sht(a=>q4) = "3"; $sht(a=>pre) = "vpre";`)
	f := func(x, want string) {
		t.Helper()
		if got := b.Value("", x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	f("$shtcn(a=>~~^p)", "3")
	f("$shtcn(a=>p)", "3")
	f("$shtcn(a=>)", "0")
	f("$shtcn(a=>==p1)", "1")
	f("$shtcn(a=>==p)", "0")
	f("$shtcn(a=>eqp1)", "0")
	f("$shtcn(a=>**)", "5")
	f("$shtcn(a=>~~[)", "0")
	f("$shtcv(a=>==3)", "1")
	f("$shtcv(a=>eq3)", "1")
	f("$shtcv(a=>3)", "1")
	f("$shtcv(a=>~~^.)", "4")
	f("$shtcv(a=>**)", "5")
}

func TestFunctions(t *testing.T) {
	b := bench(t)
	b.Head += `modparam("htable", "htable", "e=>initval=5;")`
	f := func(call string, want int) {
		t.Helper()
		if got := b.Value("$var(rc) = "+call+";", "$var(rc)"); got != fmt.Sprint(want) {
			t.Errorf("%s gives %s, want %d", call, got, want)
		}
	}
	is := func(x, want string) {
		t.Helper()
		if got := b.Value("", x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	b.Run(`$sht(a=>p1) = "v1"; $sht(a=>p2) = "v2"; $sht(a=>p3) = 3; $sht(e=>k) = 1;`)
	for _, name := range []string{"sht_has_name", "sht_match_name"} {
		f(name+`("a", "eq", "p1")`, 1)
		f(name+`("a", "eq", "pX")`, -1)
		f(name+`("a", "ne", "pX")`, 1)
		f(name+`("a", "sw", "p")`, 1)
		f(name+`("a", "re", "^q")`, -1)
	}
	for _, name := range []string{"sht_has_str_value", "sht_match_str_value"} {
		f(name+`("a", "eq", "v2")`, 1)
		f(name+`("a", "eq", "3")`, -1)
		f(name+`("a", "ne", "v2")`, 1)
		f(name+`("a", "re", "2$$")`, 1)
	}
	f(`sht_rm("a", "p1")`, 1)
	is("$sht(a=>p1)", "null")
	f(`sht_rm("a", "p1")`, 1)
	f(`sht_rm_name("a", "re", "^p2")`, 1)
	is("$sht(a=>p2)", "null")
	is("$sht(a=>p3)", "3")
	b.Run(`$sht(a=>op) = "re";`)
	f(`sht_rm_name("a", "$sht(a=>op)", "^(op|nothing)$$")`, 1)
	is("$sht(a=>op)", "null")
	is("$sht(a=>p3)", "3")
	f(`sht_rm_name("a", "sw", "p")`, 1)
	is("$sht(a=>p3)", "null")
	b.Run(`$sht(a=>p2) = "v2"; $sht(a=>p4) = "v4"; $sht(a=>q1) = "v5"; $sht(a=>n1) = 5;`)
	f(`sht_rm_value("a", "re", "^v[24]")`, 1)
	is("$sht(a=>p4)", "null")
	is("$sht(a=>q1)", "'v5'")
	f(`sht_rm_value("a", "sw", "v")`, 1)
	is("$sht(a=>q1)", "null")
	f(`sht_rm_value("a", "sw", "5")`, 1)
	f(`sht_rm_value_re("a=>5")`, 1)
	is("$sht(a=>n1)", "5") // numbers are no texts
	f(`sht_rm_name_re("a=>^n")`, 1)
	is("$sht(a=>n1)", "null")
	f(`sht_rm_name_re("a=>^nothing")`, 1)
	f(`sht_reset("e")`, 1)
	is("$sht(e=>k)", "5")
	f(`sht_lock("a=>k")`, 1)
	f(`sht_unlock("a=>k")`, 1)
	f(`sht_unlock("a=>never")`, 1)
	if got := b.Value(`$var(k) = "nosuch"; $var(rc) = sht_reset("$var(k)");`, "$var(rc)"); got != "-1" {
		t.Errorf("a table that is not there: %s", got)
	}
	b.Run(`$sht(a=>k) = "v"; sht_print();`)
	if len(b.Lines) < 3 || b.Lines[1] != `htable a: "k" is "v", ends in 0 s` {
		t.Errorf("sht_print() writes %q", b.Lines)
	}
}

func TestIterators(t *testing.T) {
	b := bench(t)
	b.Head += `modparam("htable", "htable", "e=>size=4")`
	b.Run(`$sht(e=>i1) = 1; $sht(e=>i2) = "two"; $sht(e=>i3) = 3;`)
	got := b.Value(`
	$var(n) = 0;
	$var(v) = "";
	sht_iterator_start("it", "e");
	while (sht_iterator_next("it")) {
		$var(n) = $var(n) + 1;
		if ($shtitkey(it) == "i1") { sht_iterator_seti("it", 11); $var(v) = $var(v) + $shtitval(it); }
		if ($shtitkey(it) == "i2") { sht_iterator_sets("it", "zwei"); $var(v) = $var(v) + $shtitval(it); }
		if ($shtitkey(it) == "i3") sht_iterator_rm("it");
		sht_iterator_setex("it", 30);
	}
	sht_iterator_end("it");`, `"$var(n) $sht(e=>i1) $sht(e=>i2) $sht(e=>i3)"`)
	if got != "'3 11 zwei <null>'" && got != "'3 11 zwei '" {
		t.Errorf("it went to %s", got)
	}
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f(`$var(rc) = sht_iterator_next("none");`, "$var(rc)", "-1")
	f(`$var(rc) = sht_iterator_end("none");`, "$var(rc)", "-1")
	f("", "$shtitkey(none)", "null")
	const four = `sht_iterator_start("i1", "e"); sht_iterator_start("i2", "e"); sht_iterator_start("i3", "e"); ` +
		`$var(rc) = sht_iterator_start("i4", "e");`
	f(four, "$var(rc)", "1")
	f(four+`$var(rc) = sht_iterator_start("i5", "e");`, "$var(rc)", "-1")
	f(four+`$var(rc) = sht_iterator_start("i4", "e");`, "$var(rc)", "1")
	f(four+`sht_iterator_end("i2"); $var(rc) = sht_iterator_start("i5", "e");`, "$var(rc)", "1")
}

func TestErrors(t *testing.T) {
	b := bench(t)
	b.Fails(`$sht(aa=>x) = 1;`, `there is no table "aa"; did you mean a? Or declare it with `+
		`modparam("htable", "htable", "NAME=>size=8;")`)
	const noB = `there is no table "zz": declare it with modparam("htable", "htable", "NAME=>size=8;")`
	b.Fails("$sht(zz=>x) = 1;", noB)
	b.Fails("$sht(a) = 1;", `write the table and the key, as in NAME=>KEY, not "a"`)
	warns := func(body, want string) { // what Kamailio takes at load
		t.Helper()
		_, got, err := b.Load("request_route { " + body + " }")
		if err != nil || !strings.Contains(fmt.Sprint(got), want+"; ") {
			t.Errorf("%s gives %v, %v, want the warning %s", body, got, err, want)
		}
		if _, r := b.Run(body); r != -1 {
			t.Errorf("%s is %d", body, r)
		}
	}
	warns(`sht_reset("zz");`, "sht_reset: "+noB)
	warns(`sht_rm("zz", "x");`, "sht_rm: "+noB)
	warns(`sht_iterator_start("i", "zz");`, "sht_iterator_start: "+noB)
	warns(`sht_rm_name("zz", "re", "x");`, "sht_rm_name: "+noB)
	warns(`sht_rm_name("a", "xx", "x");`, `sht_rm_name: "xx" is no operator here: it is re or sw`)
	b.Fails(`sht_lock("zz=>x");`, "sht_lock: "+noB)
	b.Fails(`sht_lock("a");`, `sht_lock wants "NAME=>KEY"`)
	b.Fails(`sht_rm_name_re("a=>[");`, "sht_rm_name_re: bad pattern: missing closing ]: `[`")
	warns(`sht_match_name("a", "rw", "x");`,
		`sht_match_name: "rw" is no operator here: it is re, sw, eq or ne`)
	f := func(spec, want string) {
		t.Helper()
		_, err := parse(spec)
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
	f("a=>size=4;autoexpire=-1", `table a: autoexpire is a number from 0 to 315360000, not "-1"`)
	f("a=>size=4;foo=1", `table a: "foo" is no attribute of a table`)
	f("a=>size=4;autoexpired=1", `table a: "autoexpired" is no attribute of a table; did you mean autoexpire?`)
	f("a=>size=4;dbtable=x",
		"table a: dbtable: tables are not read from databases yet; write file=PATH, between #!ifdef VIADUCT and "+
			"#!endif if Kamailio reads this file too")
	f("a b=>size=4", `is no table: write "NAME=>size=8;", not "a b=>size=4"`)
	f("size=4", `is no table: write "NAME=>size=8;", not "size=4"`)
	for spec, slots := range map[string]int{"a=>": 16, "a => size=0": 8, "a=>size=32;": 16384,
		"a=> size = 5 ; autoexpire = 5": 32} {
		if s, err := parse(spec); err != nil || s.slots != slots || s.name != "a" {
			t.Errorf("%s: %+v %v", spec, s, err)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("# prefixes\n\n+49 => de\n+43=>43\n quoted => \"44\"\n")
	b := bench(t)
	b.Head += `modparam("htable", "htable", "f=>size=4;file=` + path + `")`
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	f("", "$sht(f=>+49)", "'de'")
	f("", "$sht(f=>+43)", "43")
	f("", "$sht(f=>quoted)", "'44'")
	f("$sht(f=>+43) = $null; $sht(f=>+49) = 7;", "$sht(f=>+49)", "7")
	f("", "$sht(f=>+43)", "null") // it is filled when it begins, not at each start
	write("key => value\nnonsense\n")
	const nonsense = `:2: write KEY => VALUE, not "nonsense"`
	b.Fails("exit;", `htable.htable table f: `+path+nonsense)
	b.Fails("$sht(f=>key) = 1;", `htable.htable table f: `+path+nonsense) // its uses are no errors
}

// Entries that have ended are taken out, and those of a table with an event route are told of once.
func TestEvents(t *testing.T) {
	b := bench(t)
	b.Head += `
event_route[htable:mod-init] { $sht(a=>begun) = $shtinc(c=>starts); }
event_route[htable:expired:b] {
	$sht(a=>told::$shtrecord(key)) = $shtrecord(value);
	$var(n) = $shtinc(c=>told);
}`
	p, _, err := b.Load(`request_route {
	$sht(b=>text) = "one";
	$sht(b=>number) = 7;
	$sht(d=>other) = 1;
	$sht(a=>stays) = 1;
	exit;
}`)
	if err != nil {
		t.Fatal(err)
	}
	tick := func() {
		for _, f := range p.Beside() {
			f.F(b.Core.Now() / 1e6)
		}
		for _, f := range p.Timers() {
			if *f.Every > 0 {
				b.Ctx.Between()
				f.F(b.Ctx)
			}
		}
	}
	b.Ctx.Between()
	p.Started(b.Ctx)
	p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	tick()
	b.Wait(3 * time.Second)
	tick()
	tick()
	f := func(x, want string) {
		t.Helper()
		if got := b.Value("", x); got != want {
			t.Errorf("%s is %s, want %s", x, got, want)
		}
	}
	f("$sht(a=>told::text)", "'one'")
	f("$sht(a=>told::number)", "7")
	f("$sht(c=>told)", "2")
	f("$sht(a=>stays)", "1")
	f("$sht(a=>begun)", "1")
	f("$shtcn(d=>**)", "0")
	_, w, err := b.Load(`request_route { exit; } event_route[htable:expire:b] { exit; }`)
	if err != nil || !strings.Contains(fmt.Sprint(w), "event_route[htable:expire:b]") {
		t.Errorf("an event that there is not: %v %v", err, w)
	}
}

// An event route that has much to do keeps nothing in other tables, and a reload between an end and
// its event loses none.
func TestEventsOfMany(t *testing.T) {
	const many = 12 * expiredAtOnce
	b := bench(t)
	b.Head += `modparam("htable", "htable", "many=>autoexpire=2;entries=20000")
modparam("htable", "htable", "behind=>autoexpire=2")
event_route[htable:expired:many] { $var(n) = $shtinc(c=>told); }`
	load := func(body string) *route.Program {
		t.Helper()
		p, _, err := b.Load("request_route { " + body + " exit; }")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := load(`$var(i) = 0;
	while ($var(i) < 100) {
		$sht(many=>$shtinc(c=>n)) = 1;
		$sht(behind=>$var(i)) = 1;
		$var(i) = $var(i) + 1;
	}`)
	for range many / 100 {
		p.Request(b.Ctx, b.Begin(b.Msg(), b.Source()))
	}
	b.Wait(3 * time.Second)
	tick := func(p *route.Program) {
		for _, f := range p.Beside() {
			f.F(b.Core.Now() / 1e6)
		}
		for _, f := range p.Timers() {
			b.Ctx.Between()
			f.F(b.Ctx)
		}
	}
	tick(p)
	if got := statsOf(t, p, "behind").All; got != 0 {
		t.Errorf("%d entries of the other table are there still", got)
	}
	p = load("")
	for range many / expiredAtOnce {
		tick(p)
	}
	if got, want := b.Value("", "$sht(c=>told)"), strconv.Itoa(many); got != want {
		t.Errorf("told of %s entries, want %s", got, want)
	}
}

// statsOf is what htable.stats shows of a table.
func statsOf(t *testing.T, p *route.Program, name string) figures {
	t.Helper()
	for _, m := range p.Commands() {
		if m.Name != "htable.stats" {
			continue
		}
		v, err := m.Call(command.Args{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range v.([]figures) {
			if s.Name == name {
				return s
			}
		}
	}
	t.Fatalf("htable.stats has no table %s", name)
	return figures{}
}

// Commands answer as Kamailio's do.
func TestCommands(t *testing.T) {
	b := bench(t)
	b.Run(`$sht(a=>s) = "v"; $sht(a=>n) = -7;`)
	p, _, err := b.Load("request_route { exit; }")
	if err != nil {
		t.Fatal(err)
	}
	f := func(line, want string) {
		t.Helper()
		words := strings.Fields(line)
		for _, m := range p.Commands() {
			if m.Name != "htable."+words[0] {
				continue
			}
			var v any
			args, err := m.Read(words[1:])
			if err == nil {
				v, err = m.Call(args)
			}
			got, _ := json.Marshal(v)
			if err != nil {
				got = []byte(err.Error())
			}
			if string(got) != want {
				t.Errorf("%s gives %s, want %s", line, got, want)
			}
			return
		}
		t.Errorf("there is no command %s", line)
	}
	f("get a s", `{"item":{"name":"s","value":"v","flags":2,"expire":"NEVER"}}`)
	f("get a n", `{"item":{"name":"n","value":-7,"flags":0,"expire":"NEVER"}}`)
	f("get a none", "500 - Key name doesn't exist in htable.")
	f("dump b -1", "400 - cursor must be a number from 0 to 4294967295, not -1; usage: htable.dump table [cursor]")
	f("setex a n -1", "400 - seconds must be a number from 0 to 2147483647, not -1; usage: htable.setex table key seconds")
	f("dump a 0 1", "400 - it takes 2 arguments at most, and has 3; usage: htable.dump table [cursor]")
	f("get none n", "500 - No such htable")
	f("sets a t text", `"Ok. Key set to new value."`)
	f("seti a s 5", `"Ok. Key set to new value."`)
	f("get a s", `{"item":{"name":"s","value":5,"flags":0,"expire":"NEVER"}}`)
	f("setxi b k 5 100", `"Ok. Key set to new value."`)
	f("setxs b k2 x 100", `"Ok. Key set to new value."`)
	f("setex b k 50", `"Ok"`)
	f("setex b none 50", `"Ok"`)
	f("delete a s", `"Ok. Key deleted."`)
	f("delete a s", "404 - Key not found in htable.")
	f("delete a t", `"Ok. Key deleted."`)
	f("dump a", `[{"entry":0,"size":1,"slot":[{"name":"n","value":-7,"type":"int"}]}]`)
	f("dump c", `[]`)
	f("flush b", `"Ok. Htable flushed."`)
	f("reload a", "500 - No htable db_url")
	f("listTables", `[{"name":"a","dbtable":"","dbmode":0,"expire":0,"updateexpire":1,"size":16,"dmqreplicate":0},`+
		`{"name":"b","dbtable":"","dbmode":0,"expire":2,"updateexpire":1,"size":256,"dmqreplicate":0},`+
		`{"name":"c","dbtable":"","dbmode":0,"expire":100,"updateexpire":0,"size":16,"dmqreplicate":0},`+
		`{"name":"d","dbtable":"","dbmode":0,"expire":3,"updateexpire":1,"size":8,"dmqreplicate":0}]`)
	f("stats", `[{"name":"a","slots":16,"all":1,"min":0,"max":1,"most":1024,"bytes":64,"refused":0,"ended":0},`+
		`{"name":"b","slots":256,"all":0,"min":0,"max":0,"most":2048,"bytes":0,"refused":0,"ended":0},`+
		`{"name":"c","slots":16,"all":0,"min":0,"max":0,"most":1024,"bytes":0,"refused":0,"ended":0},`+
		`{"name":"d","slots":8,"all":0,"min":0,"max":0,"most":1024,"bytes":0,"refused":0,"ended":0}]`)
}

// Nothing that a message does allocates.
func TestAllocations(t *testing.T) {
	b := bench(t)
	p, _, err := b.Load(`request_route {
	$sht(a=>$ci) = "some value";
	$sht(a=>$fU) = $sht(a=>$ci);
	$var(n) = $shtinc(c=>$si);
	if ($shtex(b=>$ci) == 0 && $sht(b=>$ci) == $null) $sht(b=>$ci) = 1;
	sht_lock("a=>$ci");
	$sht(a=>$ci) = "other";
	sht_unlock("a=>$ci");
	$var(n) = $shtcn(a=>~~^c) + $shtcv(a=>**);
	if (sht_match_name("a", "sw", "c")) $var(n) = 1;
	sht_iterator_start("it", "a");
	while (sht_iterator_next("it")) $var(k) = $shtitkey(it);
	sht_iterator_end("it");
	sht_lock("a=>left to the end");
	exit;
}`)
	if err != nil {
		t.Fatal(err)
	}
	run := func() { p.Request(b.Ctx, b.Begin(b.Msg(), b.Source())) }
	for range 3 {
		run()
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBytesThatJSONLacks: htable.get and htable.dump lose nothing of what is no UTF-8.
func TestBytesThatJSONLacks(t *testing.T) {
	f := func(key, value, wantKey string, wantValue any, wantEscaped string) {
		t.Helper()
		v := table.String([]byte(value))
		if value == "7" {
			v = table.Number(7)
		}
		k, got, escaped := told([]byte(key), &v)
		if k != wantKey || got != wantValue || escaped != wantEscaped {
			t.Errorf("%q => %q is told as %q, %v, %q", key, value, k, got, escaped)
		}
	}
	f("k", `a\b é`, "k", `a\b é`, "")
	f("k\xff", "7", `k\xff`, int64(7), "name")
	f("k", "\x00\\\xe9x\xc3", "k", "\x00"+`\\\xe9x\xc3`, "value")
	f("\xc3", "\xa9", `\xc3`, `\xa9`, "name value")
	f("\uFFFD", "v", "\uFFFD", "v", "")
}

// TestRecordIsKept: the entry that an event route is about goes with the run that waits.
func TestRecordIsKept(t *testing.T) {
	var h *module
	b := moduletest.New(t, route.Declared{Name: "htable", Define: func(m *route.Module) {
		h = &module{byName: map[string]*htable{}}
		h.define(m)
	}})
	b.Head = head
	if got := b.Value("", "$shtrecord(key)"); got != "''" {
		t.Errorf("without an event the key is %s", got)
	}
	for _, v := range []table.Value{table.Number(-7), table.String([]byte("text")), table.String(nil)} {
		s := h.scratch.Of(b.Ctx)
		s.expired = &table.Entry{Key: []byte("key"), Value: v}
		held := h.keepRecord(b.Ctx, []byte("before"))[len("before"):]
		s.expired = nil
		for n := range len(held) {
			if v.Kind == table.Int && h.restoreRecord(b.Ctx, held[:n]) {
				t.Errorf("%d of %d bytes are a record", n, len(held))
			}
		}
		if !h.restoreRecord(b.Ctx, held) {
			t.Fatalf("%q is no record", held)
		}
		if e := s.expired; string(e.Key) != "key" || e.Kind != v.Kind || e.Int != v.Int || string(e.Text) != string(v.Text) {
			t.Errorf("%v is restored as %v", v, e)
		}
		s.expired = nil
	}
	if got := h.keepRecord(b.Ctx, nil); len(got) != 0 {
		t.Errorf("no record is kept as %q", got)
	}
}
