package uac

import (
	"testing"
)

// TestDigest holds responses against examples of RFC 7616 §3.9 (that of §3.9.2 has erratum 4897)
// and against ones that another program has made.
func TestDigest(t *testing.T) {
	lion := digest{user: []byte("Mufasa"), realm: []byte("http-auth@example.org"),
		password: []byte("Circle of Life"), method: []byte("GET"), uri: []byte("/dir/index.html")}
	jason := digest{user: []byte("Jäsøn Doe"), realm: []byte("api@example.org"),
		password: []byte("Secret, or not?"), method: []byte("GET"), uri: []byte("/doe.json")}
	bob := digest{user: []byte("bob"), realm: []byte("biloxi.com"), password: []byte("zanzibar"),
		method: []byte("INVITE"), uri: []byte("sip:bob@biloxi.com"), body: []byte("v=0\r\n")}
	hashed := bob
	hashed.hashed, hashed.password = true, []byte("12af60467a33e8518da5c68bbff12b11")
	const nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
	const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
	f := func(d digest, params, cnonce, want string) {
		t.Helper()
		var ch challenge
		if !ch.read([]byte(`Digest realm="x", ` + params)) {
			t.Fatalf("%s is not taken", params)
		}
		if got := string(d.appendResponse(nil, &ch, []byte(cnonce))); got != want {
			t.Errorf("%s gives %s, want %s", params, got, want)
		}
	}
	f(lion, `nonce="`+nonce+`", qop="auth, auth-int", algorithm=MD5`, cnonce,
		"8ca523f5e9506fed4657c9700eebdbec")
	f(lion, `nonce="`+nonce+`", qop="auth, auth-int", algorithm=SHA-256`, cnonce,
		"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
	f(jason, `nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", qop="auth", `+
		`algorithm=SHA-512-256`, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
		"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c")
	f(bob, `nonce="n"`, "c", "b824a62a3cb28b1a7a353a95842053b1")
	f(hashed, `nonce="n"`, "c", "b824a62a3cb28b1a7a353a95842053b1")
	f(bob, `nonce="n", qop="auth-int"`, "c", "45dffef562556d8081c9387436e9b7cf")
	f(bob, `nonce="n", qop=auth, algorithm=MD5-sess`, "c", "730fb2cc71281f65856840197202af30")
	f(hashed, `nonce="n", qop=auth, algorithm=md5-SESS`, "c", "730fb2cc71281f65856840197202af30")
}

// TestChallenge reads challenges.
func TestChallenge(t *testing.T) {
	f := func(v string, want bool, realm, nonce, opaque string, a algorithm, session bool, q qop) {
		t.Helper()
		var ch challenge
		if got := ch.read([]byte(v)); got != want {
			t.Fatalf("%s: %v", v, got)
		}
		if want && (string(ch.realm) != realm || string(ch.nonce) != nonce ||
			string(ch.opaque) != opaque || ch.algorithm != a || ch.session != session || ch.qop != q) {
			t.Errorf("%s is %+v", v, ch)
		}
	}
	no := func(v string) { t.Helper(); f(v, false, "", "", "", 0, false, 0) }
	f(`Digest realm="a", nonce="b"`, true, "a", "b", "", md5Hash, false, noQop)
	f(`dIGEST  nonce = "b,\"c" ,REALM="a", opaque="", stale=TRUE, x=y`, true, "a",
		`b,\"c`, "", md5Hash, false, noQop)
	f(`Digest realm="a",nonce=b,qop="auth-int,auth",algorithm=SHA-512-256-sess,opaque="o"`, true,
		"a", "b", "o", sha512Hash, true, authQop)
	f(`Digest realm="a",nonce="b",qop="token,auth-int",algorithm="sha-256"`, true,
		"a", "b", "", sha256Hash, false, authInt)
	no(`Basic realm="a"`)
	no(`Digest`)
	no(`Digestrealm="a", nonce="b"`)
	no(`Digest realm="a"`)
	no(`Digest nonce="b"`)
	no(`Digest realm="a", nonce="b`)
	no(`Digest realm="a", nonce="b", algorithm=SHA-1`)
	no(`Digest realm="a", nonce="b", qop="token"`)
}

// TestAnswerAllocatesNothing answers challenges in memory that is there.
func TestAnswerAllocatesNothing(t *testing.T) {
	d := digest{user: []byte("bob"), realm: []byte("a"), password: []byte("zanzibar"),
		method: []byte("INVITE"), uri: []byte("sip:bob@biloxi.com"), body: []byte("v=0\r\n")}
	v := []byte(`Digest realm="a", nonce="b", qop="auth-int", algorithm=SHA-256`)
	room := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() {
		var ch challenge
		if !ch.read(v) || len(d.appendAnswer(room, &ch)) < 100 {
			t.Fatal("not answered")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
