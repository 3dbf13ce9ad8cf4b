package route

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// theirs is how the warnings about what Kamailio refuses begin.
const theirs = "Kamailio 5.6 refuses a file with "

// TestTheirs holds what Kamailio refuses and Viaduct warns of, and what is close to it and has no
// such warning. Both are put to Kamailio.
func TestTheirs(t *testing.T) {
	have := true
	if _, err := exec.LookPath(kamailioPath); err != nil {
		t.Logf("kamailio: not compared with %s, which is not installed", kamailioPath)
		have = false
	}
	f := func(src, want string) {
		t.Helper()
		src = "loadmodule \"tm.so\"\nloadmodule \"pv.so\"\nloadmodule \"rr.so\"\nloadmodule \"textops.so\"\n" + src
		_, _, warns, err := Load("x.cfg", []byte(src), Options{Modules: testModules})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			return
		}
		var got []string
		for i := range warns {
			if w, ok := strings.CutPrefix(warns[i].Text, theirs); ok {
				got = append(got, w)
			}
		}
		if all := strings.Join(got, "; "); all != want {
			t.Errorf("%s\nwarns of %s\nwant %s", src, all, want)
		}
		if !have {
			return
		}
		file := filepath.Join(t.TempDir(), "x.cfg")
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := kamailioCheck(file); (err == nil) != (want == "") {
			t.Errorf("Kamailio gives %v for\n%s\n%s", err, src, out)
		}
	}
	in := func(body, want string) { t.Helper(); f("request_route {\n"+body+"\n}", want) }
	const empty, statement = "an empty block: write { ; }", "an expression as a statement"
	in(`if (1) { }`, empty)
	in(`while (0) { # nothing`+"\n}", empty)
	f("request_route { exit; }\nroute[A] { }", empty)
	in(`if (1) { ; } while (0) ;`, "")
	in(`{ exit; }`, "a block that is not the body of a statement")
	in(`5;`, statement)
	in(`"x";`, statement)
	in(`$rU == "a";`, statement)
	in(`method;`, statement)
	in(`!t_relay();`, statement)
	in(`(t_relay());`, statement)
	in(`strlen($rU);`, statement)
	in(`$var(x) = 7 % 2;`, "%: write mod")
	in(`$var(x) = 7 mod 2;`, "")
	in(`if (!"a") exit;`, "a string as an operand of !")
	in(`if ("a" && 1) exit;`, "a string as an operand of &&")
	in(`if (1 or "a" + $rU) exit;`, "a string as an operand of ||")
	in(`if ("a") exit;`, "")
	in(`if ($rU !~ 5) exit;`, "a number as an operand of !~")
	in(`if ($rU =~ 5) exit;`, "")
	in(`if (1 eq 1) exit;`, "a number as the left operand of eq")
	in(`if ($rU ine "a") exit;`, "a string as an operand of ine")
	in(`$var(x) = 0b11;`, "0b11: write 11b")
	in(`$var(x) = 11b + 010 + 0x10;`, "")
	for _, v := range []string{"$( rU)", "$(rU )", "$(rU {s.len})", "$(rU{ s.len})", "$(hdr(From) [0])",
		"$(hdr(From)[ 0])", "$hdr( From)", "$(avp(x)[0] )", "$shv( a)"} {
		in(`$var(x) = `+v+`;`, "a blank there in "+v)
	}
	in(`$var(x) = $avp( x) + $(rU{s.len }) + $(rU{s.len} {s.len}) + $(rU{s.select, 1,,}) + $hdr(From );`, "")
	in(`break();`, "parentheses behind break")
	in(`if (method) exit;`, "method without a comparison")
	in(`while (!status) exit;`, "status without a comparison")
	in(`if (src_port && proto == UDP) exit;`, "src_port without a comparison")
	in(`switch (src_port) { case 5: exit; }`, "src_port without a comparison")
	in(`$var(x) = method;`, "method without a comparison")
	in(`return src_port;`, "src_port without a comparison")
	in(`if (method == "INVITE" && !(src_port == 5)) exit;`, "")
	in(`$var(x) = "a" 'b';`, "strings beside each other in different quotes")
	in(`$var(x) = strlen(5);`, "strlen of a number or a call")
	in(`$var(x) = defined is_method("BYE");`, "defined of a number or a call")
	in(`if (5 == $null) exit;`, "a number compared with $null: write $null on the left")
	in(`if ($null != 5 && "a" == $null && defined $rU && strlen("1") == 1) exit;`, "")
	in(`exit 1;`, "")
	in(`drop "a";`, "")
	in(`exit(-1);`, "")
	in(`return "abc";`, "")
	in(`if (!force_rport && add_local_rport) exit;`, "")
	in(`$var(x) = force_rport;`, "")
	f("#!ifdef X\n#!endif // x\nrequest_route { exit; }", "text behind #!endif")
	f("#!ifndef X\n#!endif y\nrequest_route { exit; }", "text behind #!endif")
	f("#!ifdef X // x\n#!else // y\n#!endif\nrequest_route { exit; }", "")
	f("#!subst /zz/b/\nrequest_route { exit; }", `a #!subst without quotes: write #!subst "/zz/b/"`)
	f("#!substdef '/ZZ/b/'\nrequest_route { exit; }", "")
}

// quietly has what Kamailio refuses and Viaduct takes without a warning, because no file has it by
// mistake.
var quietly = []string{"$avp(a.b", "$avp(a_b.c", "is_method(\"FOO", "cfg_reset(", "force_send_socket(",
	"setavpflag(", "setflag(\"4\")", "setbflag(\"FLT_A\")", "hf_value", "$from.user;", "$rd.wav", "exit \"x\""}

// TestTheirsInTables: each statement of testdata/language that Kamailio refuses and Viaduct runs has
// a warning that says so. (Some are refused by its start, not by its -c.)
func TestTheirsInTables(t *testing.T) {
	for _, file := range languageFiles(t) {
		head, list, _ := readStatements(t, file)
		for i := range list {
			s := &list[i]
			if s.want != refusal || s.does() == refusal {
				continue
			}
			_, _, warns, err := loadLanguage(file, head, list[i:i+1])
			if err != nil {
				t.Fatalf("%s:%d: %v", file, s.line, err)
			}
			there := slices.ContainsFunc(quietly, func(q string) bool { return strings.Contains(s.text, q) })
			for j := range warns {
				there = there || strings.HasPrefix(warns[j].Text, theirs)
			}
			if !there {
				t.Errorf("%s:%d: no warning of %s", file, s.line+1, s.text)
			}
		}
	}
}

// TestNoOctal: a number such as 08 is refused, as Kamailio does, with what to write.
func TestNoOctal(t *testing.T) {
	for _, src := range []string{"debug=08\nrequest_route { exit; }", "request_route { $var(x) = 08; }",
		"#!define A 08\nrequest_route { $var(x) = A; }"} {
		_, _, _, err := loadText(src, nil)
		if err == nil || !strings.HasSuffix(err.Error(), ": 08 is no octal number: write 8") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// TestAcceptedIsTheirs: what Kamailio accepts has no warning that it does not.
func TestAcceptedIsTheirs(t *testing.T) {
	files, _ := filepath.Glob("testdata/accept/*.cfg")
	for _, f := range append(files, "default.cfg") {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, _, warns, _ := Load(f, src, Options{Modules: testModules})
		for i := range warns {
			if strings.HasPrefix(warns[i].Text, theirs) {
				t.Error(warns[i].Error())
			}
		}
	}
}
