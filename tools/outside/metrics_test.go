package outside

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestMetrics: Prometheus' own promtool has nothing to complain of, and a call and a destination
// taken out are seen.
func TestMetrics(t *testing.T) {
	promtool := needs(t, "promtool", "prometheus")
	if *against == "kamailio" {
		t.Skip("asks Viaduct")
	}
	t.Parallel()
	at := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	_, targets := answerers(t, 2)
	edits := append(params(`modparam("statistics", "variable", "one-x")`, `modparam("statistics", "variable", "one_x")`),
		"debug=0", fmt.Sprintf("debug=0\nhttp_listen=%q\nlisten=tcp:127.0.0.1:%d", at, freePort(t)), "disable_tcp=yes", "",
		`loadmodule "rr.so"`, "loadmodule \"rr.so\"\nloadmodule \"statistics.so\"")
	srv := start(t, setup{targets: targets, edits: edits})
	caller := newPeer(t, "a caller")
	d := caller.call(srv.addr)
	d.invite()
	caller.expect("100")
	caller.expect("180")
	d.confirm(caller.expect("200"))

	answer, err := http.Get("http://" + at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(string(page))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	for _, line := range []string{
		`viaduct_transactions_created_total{shard="0"} 1`,
		`viaduct_destination_usable{set="1",uri="sip:` + targets[1].String() + `",duid=""} 1`,
		`kamailio_tmx_UAS_transactions 1`,
		`# TYPE viaduct_tcp_established gauge`,
		`viaduct_module_total{module="statistics",counter="one-x",shard="0"} 0`,
	} {
		if !strings.Contains(string(page), line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	dashboard, err := os.ReadFile("../../docs/grafana/viaduct.json")
	if err != nil || !json.Valid(dashboard) {
		t.Fatalf("the dashboard is no JSON: %v", err)
	}
	named := regexp.MustCompile(`viaduct_[a-z0-9_]+`).FindAllString(string(dashboard), -1)
	if len(named) < 20 {
		t.Errorf("the dashboard names only %d metrics", len(named))
	}
	for _, name := range named {
		name = strings.TrimSuffix(name, "_bucket")
		if !strings.Contains(string(page), "\n# TYPE "+name+" ") {
			t.Errorf("the dashboard shows %s, which is not there", name)
		}
	}
	if answer, err := http.Get("http://" + at + "/elsewhere"); err != nil || answer.StatusCode != http.StatusNotFound {
		t.Errorf("elsewhere: %v, %v", answer, err)
	}
}
