package main

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"viaduct/control/resolve"
	"viaduct/control/tlsdomains"
	"viaduct/netio"
	"viaduct/netio/stream"
	"viaduct/netio/stream/wslayer"
	"viaduct/shard/blocklist"
	"viaduct/shard/modules"
	"viaduct/shard/route"
)

// deadSettings are those that change nothing of what is made from them here, and why.
var deadSettings = map[string]string{
	"Stream.AcceptAliases": "shards look at it",
	"Stream.Async":         "a file that says no is warned",
	"Stream.ConnMatch":     "a file that says 0 is warned",
	"Stream.KeepRefused":   "the program looks at it",
	"DNS.SlowQuery":        "a file that has it is warned",
	"DNS.RecPref":          "a file that has it is warned",
	"DNS.DelNonExp":        "a file that has it is warned",
	"DNS.SCTPPref":         "a file that wants SCTP is warned",
}

// made is everything that is made of settings.
func made(t *testing.T, s *route.Settings) []any {
	t.Helper()
	s.Core.Listen = []route.Listen{{Transport: route.TCP, Host: "127.0.0.1", Port: 5060},
		{Transport: route.TLS, Host: "127.0.0.1", Port: 5061}}
	s.Core.EnableTLS = true
	all, errs := expandListens(s)
	if errs != nil {
		t.Fatal(errs)
	}
	c := &Config{Settings: s, Streams: all.streams}
	names, err := resolverSettings(&s.DNS)
	if err != nil {
		t.Fatal(err)
	}
	return []any{all.streams, c.streamConfig(), c.tlsOptions(), names, blocklistConfig(s)}
}

// Every setting of streams, names, TLS, WebSocket and the blacklist acts, or is known not to.
func TestEverySettingActs(t *testing.T) {
	base := func() *route.Settings {
		s := *route.DefaultSettings()
		s.Stream.AcceptHAProxy, s.Blocklist.Use, s.Stream.MaxConnections = true, true, 100
		return &s
	}
	change := func(t *testing.T, v reflect.Value) {
		t.Helper()
		switch p := v.Addr().Interface().(type) {
		case *bool:
			*p = !*p
		case *int:
			*p = max(*p, 0) + 1
		case *string:
			*p += "/x"
		case *time.Duration:
			*p = max(*p, 0) + time.Second
		case *stream.Frames:
			*p = stream.Pongs
		case *wslayer.CORS:
			*p = wslayer.CORSAny
		case *tlsdomains.Options:
			p.NoSessions = true
		case *uint32:
			*p ^= 2
		case *[len(blocklist.Config{}.IMask)]blocklist.Reason:
			p[netio.TCP] = 4
		case *netip.Addr:
			*p = netip.MustParseAddr("127.0.0.1")
		case *[]netip.Prefix:
			*p = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		default:
			t.Fatalf("no other value for a %T", p)
		}
	}
	plain := made(t, base())
	used := map[string]bool{}
	for _, group := range []string{"Stream", "DNS", "Blocklist", "TLS", "WebSocket"} {
		var fields []reflect.StructField
		for _, f := range reflect.VisibleFields(reflect.ValueOf(base()).Elem().FieldByName(group).Type()) {
			if !f.Anonymous {
				fields = append(fields, f)
			}
		}
		for _, field := range fields {
			name := group + "." + field.Name
			s := base()
			change(t, reflect.ValueOf(s).Elem().FieldByName(group).FieldByIndex(field.Index))
			acts := !reflect.DeepEqual(made(t, s), plain)
			if why := deadSettings[name]; acts == (why != "") {
				t.Errorf("%s acts: %v, though it is listed as %q", name, acts, why)
			}
			used[name] = true
		}
	}
	for name := range deadSettings {
		if !used[name] {
			t.Errorf("%s is listed and does not exist", name)
		}
	}
}

// Every field of the TLS domains' options acts that a parameter binds; beside a file those of the
// one domain do not.
func TestTLSDomains(t *testing.T) {
	s := route.DefaultSettings()
	o := (&Config{Settings: s}).tlsOptions()
	if o.Default != s.TLS.Domains.Default || o.Default.Method != "TLSv1.2+" || o.Dir != "." || o.File != "" {
		t.Errorf("%+v", o)
	}
	s.TLS.Domains.File = "tls.cfg"
	if o := (&Config{Settings: s, ConfigFile: "/etc/x.cfg"}).tlsOptions(); o.Default != (tlsdomains.Settings{}) ||
		o.File != "/etc/tls.cfg" {
		t.Errorf("%+v", o)
	}
}

// What the resolver can be told, a file can say.
func TestResolverSettingsAreGlobals(t *testing.T) {
	for _, name := range resolve.Names() {
		_, s, _, err := route.Load("x.cfg", []byte(name+"=1\nrequest_route { exit; }\n"),
			route.Options{Modules: modules.All})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// a bound of the other
		if _, err := resolverSettings(&s.DNS); err != nil && !strings.Contains(err.Error(), "dns_cache_m") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Names of listen lines reach the listeners, for set_send_socket_name and $Rn.
func TestListenersHaveNames(t *testing.T) {
	_, s, _, err := route.Load("x.cfg",
		[]byte("listen=udp:127.0.0.1:5060 name \"in\"\nlisten=tcp:127.0.0.1:5062 advertise a.example:7 name \"out\"\n"+
			"loadmodule \"websocket.so\"\nrequest_route { exit; }\n"), route.Options{Modules: modules.All})
	if err != nil {
		t.Fatal(err)
	}
	all, errs := expandListens(s)
	if errs != nil || len(all.datagrams) != 1 || all.datagrams[0].Name != "in" || len(all.streams) != 2 {
		t.Fatalf("%+v, %v", all, errs)
	}
	for _, l := range all.streams {
		if l.Name != "out" || l.AdvertiseHost != "a.example" {
			t.Errorf("%+v", l)
		}
	}
}

// What a list of proxies needs, and what other words mean.
func TestStreamNotesAndValues(t *testing.T) {
	s := route.DefaultSettings()
	s.Stream.ProxyFrom = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s.Core.Listen = []route.Listen{{Transport: route.TCP, Host: "127.0.0.1", Port: 5060}}
	if all, _ := expandListens(s); len(all.notes) != 1 || all.streams[0].ProxyFrom != nil {
		t.Errorf("%+v", all)
	}
	s.Stream.AcceptHAProxy = true
	if all, _ := expandListens(s); len(all.notes) != 0 || len(all.streams[0].ProxyFrom) != 1 {
		t.Errorf("%+v", all)
	}
	s.Core.ServerHeader = "Server: Edge 7"
	if w := webSocket(s); w.Data != "Edge 7" || w.KeepAlive != 180*time.Second || w.Frames != stream.Pings {
		t.Errorf("%+v", w)
	}
	s.WebSocket.Data, s.WebSocket.Frames = "hello", stream.Pongs
	if w := webSocket(s); w.Data != "hello" || w.Frames != stream.Pongs {
		t.Errorf("%+v", w)
	}
	s.Stream.SynCount, s.Stream.KeepCount, s.Stream.KeepIdle = 500, 500, 24*time.Hour
	if c := (&Config{Settings: s}).streamConfig(); c.SynCount != 127 || c.KeepAliveCount != 127 ||
		c.KeepAlive != 32767*time.Second {
		t.Errorf("%+v", c)
	}
	s.TLS.ConnectionTimeout = -time.Second
	l := streamLimits(s)
	if l.TLSUnused.Load() != unusedForEver || l.MaxAdmitting.Load() != 1024 {
		t.Errorf("%v %d", l.TLSUnused.Load(), l.MaxAdmitting.Load())
	}
	c := stream.Config{Shards: 1, Owner: func([]byte) int {
		return 0
	}, Ring: func(int) {}, WS: webSocket(s),
		Listeners: []stream.Listen{{Proto: netio.TCP, Addr: netip.MustParseAddrPort("127.0.0.1:5060")}}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

// From the file to the wire: a message without Content-Length is answered with the name of the
// listener that it came in by, and pings are not.
func TestSettingsOfTheProgram(t *testing.T) {
	port := freePort(t)
	startBinary(t, nil, "-f", writeConfig(t, `#!KAMAILIO
loadmodule "sl.so"
loadmodule "pv.so"
tcp_accept_no_cl=yes
tcp_crlf_ping=no
udp_wq_max=4096
listen=tcp:127.0.0.1:`+port+` name "edge"
request_route {
	sl_send_reply("299", "in by $Rn");
	exit;
}
`))
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "\r\n\r\nOPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK-1\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=a\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "SIP/2.0 299 in by edge\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}
