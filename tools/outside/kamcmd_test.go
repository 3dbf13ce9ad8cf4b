package outside

import (
	"fmt"
	"os"
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
		{"core.psx", "\tDSC: shard 0\n"},
		{"core.modules", "tm\n"},
		{"core.sockets_list", "\t\tproto: udp\n"},
		{"core.shmmem m", "\ttotal: 63\n"},
		{"core.echo one 2", "one\n2\n"},
		{"core.pwd", "/"},
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

// TestKamcmdDoors asks at the sockets of module ctl, each kind of them.
func TestKamcmdDoors(t *testing.T) {
	kamcmd, err := exec.LookPath("kamcmd")
	if err != nil {
		t.Skip("kamcmd is not installed: it comes with the package kamailio")
	}
	if *against == "kamailio" {
		t.Skip("asks at sockets of Viaduct's")
	}
	t.Parallel()
	dir := t.TempDir()
	tcp, udp := freePort(t), freePort(t)
	doors := []string{"unix:" + dir + "/s", "unixd:" + dir + "/d", fmt.Sprint("tcp:127.0.0.1:", tcp),
		fmt.Sprint("udp:127.0.0.1:", udp)}
	lines := []string{`loadmodule "ctl.so"`, `modparam("ctl", "mode", 0640)`}
	for _, d := range doors {
		lines = append(lines, fmt.Sprintf(`modparam("ctl", "binrpc", %q)`, d))
	}
	start(t, setup{edits: params(lines...)})
	listen := fmt.Sprintf("binrpc\nunix_stream\n%s/s\n\nbinrpc\nunix_dgram\n%s/d\n\n"+
		"binrpc\ntcp\n127.0.0.1\n%d\nbinrpc\nudp\n127.0.0.1\n%d\n", dir, dir, tcp, udp)
	for _, d := range doors {
		out, err := exec.Command(kamcmd, "-s", d, "ctl.listen").CombinedOutput()
		if err != nil || string(out) != listen {
			t.Errorf("at %s: %v\n%s\nwant\n%s", d, err, out, listen)
		}
	}
	for _, name := range []string{"s", "d"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v, want the mode 0640", name, st, err)
		}
	}
}
