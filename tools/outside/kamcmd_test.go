package outside

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKamcmd: Debian's kamcmd asks at our socket as it asks at Kamailio's.
func TestKamcmd(t *testing.T) {
	kamcmd, err := exec.LookPath("kamcmd")
	if err != nil {
		t.Skip("kamcmd is not installed: it comes with the package kamailio")
	}
	if *against == "kamailio" {
		t.Skip("asks at a socket of Viaduct's")
	}
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "sock")
	start(t, setup{flags: []string{"-x", socket}})
	ask := func(words ...string) (string, error) {
		out, err := exec.Command(kamcmd, append([]string{"-s", "unix:" + socket}, words...)...).CombinedOutput()
		return string(out), err
	}
	for _, c := range []struct{ call, want string }{
		{"core.uptime", "\tup_since: "},
		{"cfg.get core debug", "0\n"},
		{"system.listMethods", "\ncore.uptime\n"},
		{"stats.get_statistics all", "core:rcv_requests = 0\n"},
		{"stats", "\tshards: {\n"},
	} {
		if out, err := ask(strings.Fields(c.call)...); err != nil || !strings.Contains(out, c.want) {
			t.Errorf("kamcmd %s: %v, want %q\n%s", c.call, err, c.want, out)
		}
	}
	for call, want := range map[string]string{
		"core.uptme":  "error: 404 - method \"core.uptme\" not found",
		"cfg.get one": "error: 40",
	} {
		if out, _ := ask(strings.Fields(call)...); !strings.Contains(out, want) {
			t.Errorf("kamcmd %s: want %q\n%s", call, want, out)
		}
	}
}
