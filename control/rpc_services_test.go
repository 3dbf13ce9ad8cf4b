package control

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

// fakeServices is a stand-in for streams, TLS and the resolver.
type fakeServices struct{ err error }

func (fakeServices) TCPInfo() TCPInfo { return TCPInfo{4, 2048, 1024, 7, 3, 99} }
func (fakeServices) TCPOptions() map[string]int64 {
	return map[string]int64{"conn_wq_max": 32768, "async": 1}
}
func (fakeServices) TCPList(most int) ([]TCPConn, bool) {
	return []TCPConn{{1, "TCP", "CONN_OK", 100, 120, 2, "192.0.2.1", 4000, "192.0.2.2", 5060}}, true
}
func (f fakeServices) Reload() error        { return f.err }
func (fakeServices) TLSInfo() TLSInfo       { return TLSInfo{1024, 3, 5} }
func (fakeServices) DNSDeleteAll() int      { return 4 }
func (fakeServices) DNSMemInfo() (int, int) { return 10, 20 }
func (fakeServices) DNSView(most int) ([]DNSEntry, bool) {
	return []DNSEntry{{"example.org", "A", 30, false, []string{"192.0.2.1"}}}, false
}
func (fakeServices) DNSLookup(kind, name string) (DNSEntry, bool) {
	return DNSEntry{name, kind, 30, true, nil}, name == "example.org"
}
func (fakeServices) DNSDelete(kind, name string) bool { return kind == "SRV" && name == "example.org" }

func TestServices(t *testing.T) {
	r := NewRPC()
	RegisterProcess(r, &Process{Name: "viaduct", Version: "1.0.0", Commit: "abc",
		Started: time.Now().Add(-90 * time.Second)})
	RegisterTCP(r, func() TCP { return fakeServices{} })
	RegisterTLS(r, func() TLS { return fakeServices{} })
	RegisterDNS(r, fakeServices{})
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	f("core.version", `"viaduct 1.0.0 (`+runtime.GOARCH+`/linux) abc"`)
	f("core.tcp_info", `{"readers":4,"max_connections":2048,"max_tls_connections":1024,"opened_connections":7,"opened_tls_connections":3,"write_queued_bytes":99}`)
	f("core.tcp_options", `{"async":1,"conn_wq_max":32768}`)
	f("core.tcp_list", `[{"id":1,"type":"TCP","state":"CONN_OK","timeout":100,"lifetime":120,"ref_count":2,"src_ip":"192.0.2.1","src_port":4000,"dst_ip":"192.0.2.2","dst_port":5060},{"more":true}]`)
	f("tls.info", `{"max_connections":1024,"opened_connections":3,"clear_text_write_queued_bytes":5}`)
	f("tls.reload", `"Ok. TLS configuration reloaded."`)
	f("dns.view", `[{"name":"example.org","type":"A","expires in (s)":30,"negative":false,"records":["192.0.2.1"]}]`)
	f("dns.lookup srv example.org",
		`{"name":"example.org","type":"SRV","expires in (s)":30,"negative":true,"records":null}`)
	f("dns.lookup A example.com", `{"error":{"code":404,"message":"Not found"}}`)
	f("dns.lookup MX example.com",
		`{"error":{"code":400,"message":"there is no type \"MX\" of records; A, AAAA, CNAME, NAPTR, SRV are cached"}}`)
	f("dns.delete SRV example.org", `{}`)
	f("dns.delete A example.org", `{"error":{"code":404,"message":"Not found"}}`)
	f("dns.delete_all", `{"deleted":4}`)
	f("dns.mem_info", `{"max":20,"used":10}`)

	var up struct {
		Now     string `json:"now"`
		UpSince string `json:"up_since"`
		Uptime  int64  `json:"uptime"`
	}
	if err := json.Unmarshal(r.Call("core.uptime"), &up); err != nil || up.Uptime < 90 || up.Now == "" ||
		up.UpSince == up.Now {
		t.Errorf("%v %+v", err, up)
	}
	bad := NewRPC()
	RegisterTLS(bad, func() TLS { return fakeServices{errors.New("key.pem: no such file")} })
	if got := string(bad.Call("tls.reload")); !strings.Contains(got,
		`"TLS configuration not reloaded: key.pem: no such file"`) {
		t.Error(got)
	}
}

// What is not there says so.
func TestServicesThatAreNotThere(t *testing.T) {
	r := NewRPC()
	RegisterTCP(r, func() TCP { return nil })
	RegisterTLS(r, func() TLS { return nil })
	RegisterDNS(r, nil)
	n := 0
	for _, name := range r.Names() {
		if strings.HasPrefix(name, "system.") {
			continue
		}
		n++
		line := name
		if name == "dns.lookup" || name == "dns.delete" {
			line += " A example.org"
		}
		var got struct{ Error Fault }
		if err := json.Unmarshal(r.Call(line), &got); err != nil || got.Error.Code != 500 ||
			!strings.HasSuffix(got.Error.Message, " support disabled") {
			t.Errorf("%s: %v", line, &got.Error)
		}
	}
	if n != 10 {
		t.Errorf("%d methods", n)
	}
}
