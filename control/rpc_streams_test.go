package control

import (
	"sync/atomic"
	"testing"
	"time"

	"viaduct/netio/stream"
)

// The limits of streams and datagrams, as operators change them.
func TestStreamVars(t *testing.T) {
	l, wq := stream.NewLimits(), new(atomic.Int64)
	l.ProxyTimeout.Store(5 * time.Second)
	wq.Store(1000)
	vars := &Vars{}
	vars.Register(StreamVars(l)...)
	vars.Register(DatagramVars(wq)...)
	r := NewRPC()
	RegisterVars(r, vars)
	f := func(line, want string) {
		t.Helper()
		if got := string(r.Call(line)); got != want+"\n" {
			t.Errorf("%q: %s want %s", line, got, want)
		}
	}
	set := func(name, value string, holds func() bool) {
		t.Helper()
		f("cfg.set_now_int "+name+" "+value, `{}`)
		f("cfg.get "+name, value)
		if !holds() {
			t.Errorf("%s = %s is not in force", name, value)
		}
	}
	set("tcp conn_wq_max", "0", func() bool { return l.ConnWqMax.Load() == 0 })
	set("tcp wq_max", "77", func() bool { return l.WqMax.Load() == 77 })
	set("tcp send_timeout", "3", func() bool { return l.SendTimeout.Load() == 3*time.Second })
	set("tcp connect_timeout", "4", func() bool { return l.ConnectTimeout.Load() == 4*time.Second })
	set("tcp connection_lifetime", "5", func() bool { return l.Lifetime.Load() == 5*time.Second })
	set("tcp msg_read_timeout", "6", func() bool { return l.MessageTimeout.Load() == 6*time.Second })
	set("tcp wait_data", "2500", func() bool { return l.ProxyTimeout.Load() == 2500*time.Millisecond })
	set("tcp max_connections", "7", func() bool { return l.MaxConnections.Load() == 7 })
	set("tcp tls_max_connections", "8", func() bool { return l.TLSMaxConnections.Load() == 8 })
	set("tcp handshake_max", "9", func() bool { return l.MaxAdmitting.Load() == 9 })
	set("tcp rd_buf_size", "512", func() bool { return l.MaxMessage.Load() == 512 })
	set("tcp crlf_ping", "0", func() bool { return !l.CRLFPing.Load() })
	set("tcp accept_no_cl", "1", l.AcceptNoCL.Load)
	set("tcp accept_unique", "1", l.AcceptUnique.Load)
	set("tcp no_connect", "1", l.NoConnect.Load)
	set("udp wq_max", "10", func() bool { return wq.Load() == 10 })
	f("cfg.set_now_int tcp send_timeout -1", `{}`)
	f("cfg.get tcp send_timeout", `10`)
	f("cfg.set_now_int tcp connection_lifetime -1", `{}`)
	f("cfg.get tcp connection_lifetime", `2147483648`)
	f("cfg.set_now_int tcp connect_timeout 0",
		`{"error":{"code":400,"message":"tcp.connect_timeout: 0 would end everything at once; write a number of `+
			`seconds, or -1 for 10"}}`)
	f("cfg.set_now_int tcp no_connect 2",
		`{"error":{"code":400,"message":"tcp.no_connect: 2 is out of range, 0 to 1"}}`)
	f("cfg.set_now_int tcp max_connections 2049",
		`{"error":{"code":400,"message":"tcp.max_connections: 2049 is out of range, 0 to 2048"}}`)
	f("cfg.set_now_int udp wq_max 1001",
		`{"error":{"code":400,"message":"udp.wq_max: 1001 is out of range, 0 to 1000"}}`)
}
