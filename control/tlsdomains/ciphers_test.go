package tlsdomains

import (
	"crypto/tls"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestCipherLists(t *testing.T) {
	f := func(list string, want ...string) {
		t.Helper()
		ids, _, err := cipherList(list)
		if err != nil {
			t.Errorf("%s: %v", list, err)
		}
		var got []string
		for _, id := range ids {
			got = append(got, strings.TrimPrefix(tls.CipherSuiteName(id), "TLS_ECDHE_"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
	}
	all := []string{"ECDSA_WITH_AES_128_GCM_SHA256", "RSA_WITH_AES_128_GCM_SHA256", "ECDSA_WITH_AES_256_GCM_SHA384",
		"RSA_WITH_AES_256_GCM_SHA384",
		"ECDSA_WITH_CHACHA20_POLY1305_SHA256", "RSA_WITH_CHACHA20_POLY1305_SHA256"}
	f("HIGH", all...)
	f("DEFAULT@SECLEVEL=2", all...)
	f("HIGH:!aNULL:!MD5:@STRENGTH", all...)
	f("ALL", all...)
	f("ECDHE+AESGCM+aRSA", "RSA_WITH_AES_128_GCM_SHA256", "RSA_WITH_AES_256_GCM_SHA384")
	f("ECDHE-RSA-AES256-GCM-SHA384", "RSA_WITH_AES_256_GCM_SHA384")
	f("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "RSA_WITH_AES_256_GCM_SHA384")
	f("CHACHA20,aRSA -AES128", "ECDSA_WITH_CHACHA20_POLY1305_SHA256", "RSA_WITH_CHACHA20_POLY1305_SHA256",
		"RSA_WITH_AES_256_GCM_SHA384")
	f("HIGH:!AES:HIGH", "ECDSA_WITH_CHACHA20_POLY1305_SHA256", "RSA_WITH_CHACHA20_POLY1305_SHA256")
	f("AES256:-AES256:CHACHA20:AES256:!ECDSA", "RSA_WITH_CHACHA20_POLY1305_SHA256", "RSA_WITH_AES_256_GCM_SHA384")
	f("aRSA:+AES128", "RSA_WITH_AES_256_GCM_SHA384", "RSA_WITH_CHACHA20_POLY1305_SHA256", "RSA_WITH_AES_128_GCM_SHA256")
	f("AES128-SHA:TLS_AES_128_GCM_SHA256:CHACHA20+aRSA", "RSA_WITH_CHACHA20_POLY1305_SHA256")
}

func TestCipherListProblems(t *testing.T) {
	f := func(list, want string) {
		t.Helper()
		if _, _, err := cipherList(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", list, err, want)
		}
	}
	f("HIGH:ECDHE-RSA-AES128-GCM-SHA265", "did you mean ECDHE-RSA-AES128-GCM-SHA256?")
	f("nonsense", `unknown cipher "nonsense"`)
	f("HIGH+nonsense", `unknown cipher "HIGH+nonsense"`)
	f("AES128-SHA", "no cipher suite is left")
	f("HIGH:!HIGH", "no cipher suite is left")
	f("", "no cipher suite is left")
}

// Every suite and class that the installed OpenSSL knows can be read, whether it means anything
// here or not.
func TestCipherWordsOfOpenSSL(t *testing.T) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	out, err := exec.Command(path, "ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Split(strings.TrimSpace(string(out)), ":")
	if len(names) < 20 {
		t.Fatalf("openssl knows %q only", names)
	}
	for _, name := range names {
		if _, _, err := cipherList("HIGH:" + name); err != nil {
			t.Error(err)
		}
	}
}
