package tlsdomains

import (
	"crypto/tls"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	r := &report{}
	got := parse("tls.cfg", `
# the keys in all their spellings
[server:default]
	method = TLSv1.2+   # a comment
	Verify_Certificate = YES
	require_cert = off
	private_key = "/etc/my keys/a\"b\\c.pem"
	cert_file = a.pem
	calist_file = 'ca.pem'

[srv : 10.0.0.1:5061 ] # spaces are fine
ca_path=/etc/cas
pkey_file = k.pem
verify_depth = 3
[server:[2001:db8::1]:5061]
server_name = example.com
server_name_mode = 2
verify_client = OPTIONAL_no_ca
[client:any]
server_id = carrier
crl = c.pem
cipher_list = "HIGH:!aNULL"
[cli:def]
verify_depth = 0
`, r)
	if err := r.err(); err != nil || len(r.warnings) > 0 {
		t.Fatal(err, r.warnings)
	}
	var titles []string
	for _, s := range got {
		titles = append(titles, s.title())
	}
	if want := []string{"[server:default]", "[server:10.0.0.1:5061]", "[server:[2001:db8::1]:5061]", "[client:any]",
		"[client:default]"}; !slices.Equal(titles, want) {
		t.Fatalf("domains %q", titles)
	}
	want := []Settings{
		{Method: "TLSv1.2+", VerifyCertificate: true, PrivateKey: `/etc/my keys/a"b\c.pem`, Certificate: "a.pem",
			CAList: "'ca.pem'"},
		{CAPath: "/etc/cas", PrivateKey: "k.pem", VerifyDepth: 3},
		{ServerName: "example.com", ServerNameMode: 2, VerifyClient: "optional_no_ca"},
		{ServerID: "carrier", CRL: "c.pem", CipherList: "HIGH:!aNULL"},
		{VerifyDepth: -1},
	}
	for i, s := range got {
		if s.Settings != want[i] {
			t.Errorf("%s: %+v, want %+v", s.title(), s.Settings, want[i])
		}
	}
	if at := got[0].of("private_key"); at.line != 7 || at.column != 16 {
		t.Errorf("the value of private_key is at %d:%d", at.line, at.column)
	}
}

func TestParseProblems(t *testing.T) {
	f := func(input, want string) {
		t.Helper()
		r := &report{}
		parse("tls.cfg", input, r)
		if err := r.err(); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", input, err, want)
		}
	}
	f("method = TLSv1.2", "tls.cfg:1:1: a setting before the first domain: begin with [server:default] or "+
		"[client:default]")
	f("[server:default", "tls.cfg:1:1: the domain's closing ] is missing")
	f("  [sever:default]", `tls.cfg:1:3: unknown role "sever"; did you mean server?; write [server:…] or [client:…]`)
	f("[server:10.0.0.1]", `tls.cfg:1:1: "10.0.0.1" is no address with a port; write [server:default], [server:any] `+
		`or [server:192.0.2.1:5061]`)
	f("[client:example.com:5061]",
		`tls.cfg:1:1: "example.com:5061" is no address with a port; write [client:default], [client:any] or `+
			`[client:192.0.2.1:5061]`)
	f("[server:2001:db8::1:5061]",
		`tls.cfg:1:1: "2001:db8::1:5061" is no address with a port; write [server:default], [server:any] or `+
			`[server:192.0.2.1:5061]`)
	f("[server:default] method = x", `tls.cfg:1:18: "method = x" behind the domain: one setting a line, please`)
	f("[server:default]\ncertifcate = x", `tls.cfg:2:1: unknown setting "certifcate"; did you mean certificate?`)
	f("[server:default]\nbogus = x", `tls.cfg:2:1: unknown setting "bogus"`)
	f("[server:default]\ntls_certificate = x", `tls.cfg:2:1: unknown setting "tls_certificate"`)
	f("[server:default]\nmethod TLSv1.2", "tls.cfg:2:1: a setting is written name = value")
	f("[server:default]\n= x", "tls.cfg:2:1: a setting is written name = value")
	f("[server:default]\n\tmethod =", "tls.cfg:2:10: method: the value is missing")
	f("[server:default]\nmethod = # x", "tls.cfg:2:10: method: the value is missing")
	f("[server:default]\nmethod = a b",
		"tls.cfg:2:10: method: more than one word: put a value with blanks in double quotes")
	f("[server:default]\nmethod = \"a", "tls.cfg:2:10: method: the closing quote is missing")
	f("[server:default]\nmethod = \"a\\n\"", `tls.cfg:2:10: method: only \" and \\ may follow a backslash`)
	f("[server:default]\nverify_certificate = maybe", `tls.cfg:2:22: verify_certificate: "maybe" is neither yes nor no`)
	f("[server:default]\nverify_depth = x", `tls.cfg:2:16: verify_depth: "x" is no number between 0 and 100`)
	f("[server:default]\nserver_name_mode = 7",
		`tls.cfg:2:20: server_name_mode: "7" is none of 0 (that name), 1 (and those below it), 2 (only those below it)`)
	f("[server:default]\nverify_client = zz",
		`tls.cfg:2:17: verify_client: "zz" is none of off, optional, on, optional_no_ca`)
	f("[oops]\na = 1\n[server:default]\nb = 1",
		`tls.cfg:1:1: unknown role "oops"; write [server:…] or [client:…]`+"\n"+`tls.cfg:4:1: unknown setting "b"`)
}

// All mistakes come at once, those of files too, in the order of the lines.
func TestAllProblemsAtOnce(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("a", ca.issue(t, "a"))
	f.put("b", ca.issue(t, "b"))
	f.write("empty.pem", "nothing")
	f.write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n")
	f.write("broken.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})))
	f.write("tls.cfg", `[server:default]
method = TLSv1
certificate = a.pem
private_key = b.key
bogus = 1
[server:10.0.0.1:5061]
certificate = missing.pem
private_key = a.key
cipher_list = HIHG
[server:10.0.0.1:5061]
certificate = a.pem
private_key = locked.key
verify_client = on
[server:any]
certificate = a.pem
private_key = /engine:x
[server:default]
certificate = a.pem
private_key = a.key
ca_list = empty.pem
crl = a.pem
[client:default]
private_key = a.key
ca_list = broken.pem
ca_path = nowhere
method = TLS1.2
certificate = .
`)
	_, err := Open(Options{File: f.config()})
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(strings.ReplaceAll(err.Error(), f.dir+"/", ""), "\n")
	want := []string{
		"tls.cfg:2:10: method = TLSv1 is refused (RFC 8996); write TLSv1.2+",
		"tls.cfg:3:15: certificate a.pem with private_key b.key: private key does not match public key",
		`tls.cfg:5:1: unknown setting "bogus"`,
		"tls.cfg:7:15: certificate missing.pem: cannot read it: open missing.pem: no such file or directory",
		`tls.cfg:9:15: cipher_list: unknown cipher "HIHG"; did you mean HIGH?`,
		"tls.cfg:10:1: [server:10.0.0.1:5061] asks clients for certificates but believes no CA; write ca_list = ca.pem",
		"tls.cfg:10:1: [server:10.0.0.1:5061] is there already, in line 6, with the same server_name; give it " +
			"another, or join them",
		"tls.cfg:12:15: private_key locked.key: the key is protected by a passphrase; write it without one: openssl " +
			"pkey -in key.pem -out plain.pem",
		"tls.cfg:14:1: [server:any] needs a server_name: nothing else tells when it is meant",
		"tls.cfg:16:15: private_key /engine:x: keys in OpenSSL engines and providers cannot be used; name a PEM file",
		"tls.cfg:17:1: [server:default] is there already, in line 1",
		"tls.cfg:20:11: ca_list empty.pem: there is no CERTIFICATE in empty.pem",
		"tls.cfg:21:7: crl a.pem: there is no X509 CRL in it",
		"tls.cfg:24:11: ca_list broken.pem: certificate 1 of broken.pem: x509: malformed certificate",
		"tls.cfg:25:11: ca_path nowhere: cannot read it: open nowhere: no such file or directory",
		`tls.cfg:26:10: unknown method "TLS1.2"; did you mean TLSv1.2?; there are TLSv1.2, TLSv1.2+, TLSv1.3 and ` +
			`TLSv1.3+`,
		"tls.cfg:27:15: certificate .: " + filepath.Clean(f.dir) + " is a folder: name a regular file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWarnings(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	stale := template("s")
	stale.NotBefore, stale.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	f.put("s", ca.issueAs(t, stale))
	f.write("ca.pem", ca.pem())
	f.write("crl.pem", ca.revoke(t, time.Now().Add(-time.Minute)))
	g := func(more, want string) {
		t.Helper()
		s := f.open(oneServer + more)
		if got := s.Warnings().Error(); !strings.Contains(got, want) {
			t.Errorf("%q: warnings %q, want %q", more, got, want)
		}
	}
	g("", "tls.cfg:2:15: certificate s.pem has expired at ")
	g("method = TLSv1.1+", "tls.cfg:4:10: method = TLSv1.1+ is taken as TLSv1.2+: SSL, TLS 1.0 and 1.1 are refused "+
		"(RFC 8996)")
	g("method = TLSv1.3\ncipher_list = HIGH", "tls.cfg:5:15: cipher_list is about TLS 1.2 only, which TLSv1.3 excludes")
	g("cipher_list = AES128-SHA:HIGH:DES-CBC3-SHA:!MD5",
		"tls.cfg:4:15: cipher_list: without effect here: AES128-SHA, DES-CBC3-SHA")
	g("ca_list = ca.pem\ncrl = crl.pem", "tls.cfg:5:7: crl crl.pem: the list of CN=CA has expired at ")
	g("ca_list = ca.pem\nverify_client = on\nverify_certificate = yes",
		"tls.cfg:5:17: verify_client = on beats verify_certificate and require_certificate")
	g("[client:default]\nverify_client = on", "tls.cfg:5:17: verify_client is for servers")
	f.write("some.pem", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"+ca.pem())
	g("ca_list = some.pem", "tls.cfg:4:11: ca_list some.pem: left out: certificate 1 of ")
	g("certificate = s.pem", "tls.cfg:4:1: certificate is set again; the later value counts")
}

// The file of Kamailio's Debian package, as far as it says anything.
func TestDistributedFile(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	f.put("kamailio-selfsigned", ca.issue(t, "s.example.com"))
	s := f.open("[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\nprivate_key = " + f.dir + "/kamailio-selfsigned.key\ncertificate = " + f.dir +
		"/kamailio-selfsigned.pem\n#ca_list = /etc/kamailio/tls/cacert.pem\n\n[client:default]\n#method = TLSv1.2+\n" +
		"verify_certificate = yes\nrequire_certificate = yes\n\n#[server:any]\n#server_name_mode = 1\n")
	if len(s.Warnings()) > 0 || s.Server(0, here) == nil {
		t.Error(s.Warnings())
	}
}

func TestOneFileForBoth(t *testing.T) {
	ca, f := newAuthority(t, "CA", nil), newFolder(t)
	cert, key := pemOf(t, ca.issue(t, "CN=both"))
	f.write("both.pem", cert+key)
	if got := seenBy(t, f.open("[server:default]\ncertificate = both.pem\n"), here, ""); got != "both" {
		t.Errorf("shows %s", got)
	}
}

func TestCAPath(t *testing.T) {
	a, b, f := newAuthority(t, "A", nil), newAuthority(t, "B", nil), newFolder(t)
	f.put("s", a.issue(t, "s.example.com"))
	if err := os.Mkdir(filepath.Join(f.dir, "cas"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("cas/a.pem", a.pem())
	f.write("cas/README", "no certificate here")
	// as c_rehash makes them
	for link, target := range map[string]string{"1234abcd.0": "a.pem", "dead.0": "gone.pem"} {
		if err := os.Symlink(target, filepath.Join(f.dir, "cas", link)); err != nil {
			t.Fatal(err)
		}
	}
	s := f.open(oneServer + "ca_path = cas\nverify_client = on\n")
	g := func(ca *authority, ok bool) {
		t.Helper()
		if _, _, err, _ := shake(t, s.Server(0, here),
			&tls.Config{InsecureSkipVerify: true,
				Certificates: []tls.Certificate{ca.issue(t, "c")}}); (err == nil) != ok {
			t.Error(err)
		}
	}
	g(a, true)
	g(b, false)
	f.write("cas/b.pem", b.pem())
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	g(b, true)
}

func TestFilesAreBounded(t *testing.T) {
	f := newFolder(t)
	f.write("tls.cfg", strings.Repeat("#", configBytes+1))
	if _, err := Open(Options{File: f.config()}); err == nil || !strings.Contains(err.Error(), "is longer than") {
		t.Errorf("%v", err)
	}
	f.write("tls.cfg", strings.Repeat("[client:default]\n", maxDomains+1))
	if _, err := Open(Options{File: f.config()}); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("%v", err)
	} else if n := strings.Count(err.Error(), "\n") + 1; n > maxProblems {
		t.Errorf("%d problems", n)
	}
}

// Whatever the bytes, reading ends, and every problem lies inside the file.
func FuzzParse(f *testing.F) {
	f.Add("[server:default]\nmethod = TLSv1.2+ # x\nprivate_key = \"a\\\"b\"\n[client:[::1]:5061]\n")
	f.Add("[server:[::1:5061]\n[cli:any]x\n = \n\"\n[")
	f.Fuzz(func(t *testing.T, input string) {
		r := &report{}
		sections := parse("tls.cfg", input, r)
		lines := strings.Split(input, "\n")
		for _, p := range append(slices.Clone(r.problems), r.warnings...) {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 || p.Text == "" {
				t.Fatalf("%q: %v", input, p)
			}
		}
		for _, s := range sections {
			again := parse("tls.cfg", s.title(), &report{})
			if len(again) != 1 || again[0].title() != s.title() {
				t.Fatalf("%s is not read as itself", s.title())
			}
		}
	})
}
