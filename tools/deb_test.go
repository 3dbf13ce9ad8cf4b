package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDeb makes the Debian package and looks into it: what an operator expects is there, and what
// it brings runs.
func TestDeb(t *testing.T) {
	for _, need := range []string{"dpkg-deb", "dpkg"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("%s is not installed", need)
		}
	}
	out := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = ".."
		b, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, b)
		}
		return string(b)
	}
	said := out("make", "-s", "deb")
	name := strings.TrimSpace(strings.SplitN(said, "\n", 2)[0])
	if !strings.HasPrefix(name, "bin/viaduct_") || !strings.HasSuffix(name, ".deb") {
		t.Fatalf("make deb says\n%s", said)
	}
	list := out("dpkg-deb", "-c", name)
	for _, want := range []string{"root/root", " ./usr/sbin/viaduct\n", " ./usr/bin/viaductctl\n",
		" ./lib/systemd/system/viaduct.service\n", " ./etc/viaduct/viaduct.cfg\n", " ./etc/viaduct/dispatcher.list\n",
		" ./usr/share/man/man8/viaduct.8.gz\n", " ./usr/share/man/man5/viaduct.cfg.5.gz\n",
		" ./usr/share/man/man1/viaductctl.1.gz\n", " ./usr/share/doc/viaduct/docs/operate.md\n",
		" ./usr/share/bash-completion/completions/viaductctl\n", " ./usr/share/zsh/vendor-completions/_viaductctl\n",
		" ./usr/share/fish/vendor_completions.d/viaductctl.fish\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("the package lacks %q", strings.TrimSpace(want))
		}
	}
	dir := t.TempDir()
	out("dpkg-deb", "-x", name, dir)
	out("dpkg-deb", "-e", name, filepath.Join(dir, "control"))
	if b, err := os.ReadFile(filepath.Join(dir, "control", "conffiles")); err != nil ||
		string(b) != "/etc/viaduct/viaduct.cfg\n/etc/viaduct/dispatcher.list\n" {
		t.Errorf("conffiles: %q, %v", b, err)
	}
	got := out(filepath.Join(dir, "usr/sbin/viaduct"), "-c", "-f", filepath.Join(dir, "etc/viaduct/viaduct.cfg"))
	if !strings.Contains(got, "udp:127.0.0.1:5060") || strings.Contains(got, "udp:0.0.0.0") {
		t.Errorf("the configuration listens on\n%s", got)
	}
	for _, script := range []string{"postinst", "prerm", "postrm"} {
		out("sh", "-n", filepath.Join(dir, "control", script))
	}
	t.Run("hardening", func(t *testing.T) {
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			t.Skip("systemd-analyze is not installed")
		}
		out("systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager",
			filepath.Join(dir, "lib/systemd/system/viaduct.service")) // 2.5 of 10
	})
}
