package main

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"viaduct/shard/route"
)

// live are the settings that a reload puts in force, or that nothing acts on: one that is neither
// here nor in fixedSettings would be passed over in silence.
var live = words(`
	Core.Listen Core.Alias Core.Port Core.TLSPort Core.Debug Core.LogPrefix Core.DisableTCP Core.EnableTLS Core.EnableSCTP Core.AutoAliases
	Core.DNS Core.RevDNS Core.CheckVia Core.UDPWQMaxBytes Core.AdvertisedAddress Core.AdvertisedPort Core.ServerHeader
	Core.UserAgentHeader Core.ServerSignature Core.SIPWarning Core.MaxRecursion Core.MaxWhileLoops
	Core.UDPMTUTryProto Core.RecvBufferBytes Core.ShmForceAlloc Core.ExitTimeout
	Core.ServerID Core.OnsendReplies Core.XavpViaParams Core.XavpViaFields Control.Documents.Answer
	Proxy.* Txn.* Dispatcher.* Modules
	Stream.MaxConnections Stream.TLSMaxConnections Stream.ConnectTimeout Stream.SendTimeout Stream.Lifetime Stream.WaitData
	Stream.MsgReadTimeout Stream.AcceptAliases Stream.AcceptIPLimit Stream.AcceptUnique Stream.AcceptNoCL Stream.Async
	Stream.ConnWQMaxBytes Stream.WQMaxBytes Stream.ReadBufferBytes Stream.CRLFPing Stream.NoConnect Stream.ConnMatch Stream.KeepRefused
	Stream.PerDestination Stream.HandshakeMax Stream.AcceptRate
	DNS.*
	Blocklist.Use Blocklist.Expire Blocklist.MemBytes Blocklist.IMask Blocklist.ICMP
	Blocklist.Use503 Blocklist.Def503 Blocklist.Min503 Blocklist.Max503 Blocklist.MethodsAdd Blocklist.MethodsLookup
	TLS.Domains.File TLS.Domains.Dir TLS.Domains.Listeners TLS.Domains.NoSessions TLS.ConnectionTimeout`)

// elsewhere are those that Config has under names of its own.
var elsewhere = words("Core.ShmMB Core.LogStderr Core.LogName Core.Fork Core.User Core.Group Core.Chroot Core.WorkDir")

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

// TestEverySettingIsLiveOrSaid changes each setting: a reload keeps it and says so, or it is one of
// those that take effect.
func TestEverySettingIsLiveOrSaid(t *testing.T) {
	var each func(path string, v reflect.Value, f func(path string, leaf reflect.Value))
	each = func(path string, v reflect.Value, f func(string, reflect.Value)) {
		if v.Kind() != reflect.Struct || v.Type() == reflect.TypeFor[netip.Addr]() {
			f(strings.TrimPrefix(path, "."), v)
			return
		}
		for i := range v.NumField() {
			each(path+"."+v.Type().Field(i).Name, v.Field(i), f)
		}
	}
	change := func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Slice:
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		case reflect.Array:
			v.Index(0).SetUint(v.Index(0).Uint() + 1)
		case reflect.Func: // none is the operator's
		case reflect.Struct:
			v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.1")))
		default:
			if v.CanInt() {
				v.SetInt(v.Int() + 1)
			} else {
				v.SetUint(v.Uint() + 1)
			}
		}
	}
	n := 0
	each("", reflect.ValueOf(route.DefaultSettings()).Elem(), func(path string, _ reflect.Value) {
		before, now := &Config{Settings: route.DefaultSettings()}, &Config{Settings: route.DefaultSettings()}
		each("", reflect.ValueOf(now.Settings).Elem(), func(p string, v reflect.Value) {
			if p == path {
				change(v)
			}
		})
		n++
		group, _, _ := strings.Cut(path, ".")
		takes := live[path] || live[group+".*"] || strings.HasPrefix(path, "TLS.Domains.Default.") || elsewhere[path]
		notes := now.keepFixed(before, true)
		switch {
		case len(notes) == 0 && !takes:
			t.Errorf("%s changes by a reload in nothing but the settings: put it in force, and into live here, or "+
				"into fixedSettings", path)
		case len(notes) > 0 && takes:
			t.Errorf("%s is both in force and not: %s", path, notes)
		case len(notes) > 0 && !reflect.DeepEqual(before.Settings, now.Settings):
			t.Errorf("%s is said to stay, and does not", path)
		}
	})
	if n < 150 {
		t.Errorf("there are %d settings", n)
	}
	before, now := &Config{Settings: route.DefaultSettings()}, &Config{Settings: route.DefaultSettings()}
	before.Settings.Stream.KeepCount = now.Settings.Stream.KeepCount + 1
	if notes := now.keepFixed(before, false); len(notes) > 0 {
		t.Errorf("streams have not begun, and %q", notes)
	}
	for _, f := range slices.Concat(fixedSettings, fixedStreams) {
		if f.same(&Config{Settings: route.DefaultSettings()}, &Config{Settings: route.DefaultSettings()}) != true {
			t.Errorf("%s differs from itself", f.name)
		}
	}
}

// TestFixedSettingsAreDocumented: the operator's page has each of them.
func TestFixedSettingsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/reload.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(fixedSettings, fixedStreams) {
		name, _, _ := strings.Cut(f.name, " (")
		name, _, _ = strings.Cut(name, " of ")
		if !strings.Contains(string(b), name) {
			t.Errorf("docs/reload.md does not name %s", f.name)
		}
	}
}

// TestFollow: what the file changes is put in force, and what an operator changed meanwhile stays
// otherwise.
func TestFollow(t *testing.T) {
	before, now := route.DefaultSettings(), route.DefaultSettings()
	to := streamLimits(before)
	to.Lifetime.Store(7 * time.Second)
	now.Stream.MaxConnections, now.Stream.CRLFPing = 99, false
	followLimits(to, streamLimits(before), streamLimits(now))
	if to.MaxConnections.Load() != 99 || to.CRLFPing.Load() || to.Lifetime.Load() != 7*time.Second {
		t.Errorf("%d %v %v", to.MaxConnections.Load(), to.CRLFPing.Load(), to.Lifetime.Load())
	}
	was := *blocklistConfig(before)
	now.Blocklist.Expire = 5 * time.Second
	operator := was
	operator.ICMP = true
	if c := followBlocklist(operator, was, *blocklistConfig(now)); c.Expire != 5*time.Second || !c.ICMP ||
		fmt.Sprint(c.Use) != fmt.Sprint(was.Use) {
		t.Errorf("%+v", c)
	}
}
