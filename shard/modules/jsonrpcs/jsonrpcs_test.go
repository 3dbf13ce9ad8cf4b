package jsonrpcs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"viaduct/shard/modules/moduletest"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
	"viaduct/shard/route/command/jsonrpc"
)

// What Kamailio 5.6.3 answered, word for word.
func TestFormat(t *testing.T) {
	f := func(want string) {
		t.Helper()
		if got := string(format([]byte(want), true)); got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
		var compact strings.Builder
		compact.Write(format([]byte(want), false))
		if strings.ContainsAny(compact.String(), "\n\t") || !json.Valid([]byte(compact.String())) {
			t.Errorf("compact: %s", compact.String())
		}
	}
	f("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[\"a\", \"5\", \"7\", \"1\"],\n\t\"id\":\t\"ab\"\n}")
	f("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[],\n\t\"id\":\t2\n}")
	f("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t{\n\t},\n\t\"id\":\t1\n}")
	f("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"error\":\t{\n\t\t\"code\":\t500,\n\t\t\"message\":\t\"No such htable\"\n\t},\n" +
		"\t\"id\":\t2\n}")
	f("{\n\t\"jsonrpc\":\t\"2.0\",\n\t\"result\":\t[{\n\t\t\t\"entry\":\t3,\n\t\t\t\"size\":\t1,\n\t\t\t\"slot\":\t[{\n" +
		"\t\t\t\t\t\"name\":\t\"k2\",\n\t\t\t\t\t\"value\":\t0,\n\t\t\t\t\t\"type\":\t\"int\"\n\t\t\t\t}]\n\t\t}, {\n" +
		"\t\t\t\"entry\":\t6,\n\t\t\t\"size\":\t1,\n\t\t\t\"slot\":\t[{\n\t\t\t\t\t\"name\":\t\"k\",\n" +
		"\t\t\t\t\t\"value\":\t\"v\",\n\t\t\t\t\t\"type\":\t\"str\"\n\t\t\t\t}]\n\t\t}],\n\t\"id\":\t2\n}")
	f("{\n\t\"a\\\\\\\"{[,:\":\t\"\\\\\",\n\t\"b\":\ttrue\n}")
}

func TestParse(t *testing.T) {
	f := func(in string, want jsonrpc.Request) {
		t.Helper()
		if got, ok := jsonrpc.Parse([]byte(in)); !ok || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v, want %+v", in, got, ok, want)
		}
	}
	id := func(s string) json.RawMessage { return json.RawMessage(s) }
	f(`{"jsonrpc":"2.0","method":"a.b","id":1}`, jsonrpc.Request{Method: "a.b", ID: id("1")})
	f(` {"jsonrpc":"2.0","method":"a.b","params":["x", 5, "7", 1.5, true],"id":"q"} `,
		jsonrpc.Request{Method: "a.b", Words: []string{"x", "5", "7", "1.5", "1"}, ID: id(`"q"`)})
	f(`{"jsonrpc":"2.0","method":"a.b","params":{"z":"x","a":5}}`, jsonrpc.Request{Method: "a.b", Words: []string{"x", "5"}})
	f(`{"jsonrpc":"2.0","method":"a.b","params":null,"id":null}`, jsonrpc.Request{Method: "a.b", ID: id("null")})
	wrong := func(in, want string) {
		t.Helper()
		if got, ok := jsonrpc.Parse([]byte(in)); !ok || !strings.Contains(got.Wrong, want) {
			t.Errorf("%s: %+v, %v, want %s", in, got, ok, want)
		}
	}
	wrong(`[{"jsonrpc":"2.0","method":"a.b","id":1}]`, "batches")
	wrong(`7`, "object")
	wrong(`{"jsonrpc":"1.0","method":"a.b"}`, `"2.0"`)
	wrong(`{"method":"a.b"}`, `"2.0"`)
	wrong(`{"jsonrpc":"2.0","method":5}`, "name of a command")
	wrong(`{"jsonrpc":"2.0"}`, "name of a command")
	wrong(`{"jsonrpc":"2.0","method":"a.b","params":"x"}`, "array or an object")
	wrong(`{"jsonrpc":"2.0","method":"a.b","params":[["x"]]}`, "a text, a number")
	wrong(`{"jsonrpc":"2.0","method":"a.b","params":{"x":{"y":1}}}`, "a text, a number")
	wrong(`{"jsonrpc":"2.0","method":"a.b","id":[1]}`, "id")
	for _, in := range []string{"", " ", "x", `{"jsonrpc":"2.0"`, `{} trailing`} {
		if _, ok := jsonrpc.Parse([]byte(in)); ok {
			t.Errorf("%q is no JSON", in)
		}
	}
}

// FuzzParse: whatever is read as a request has an answer that is JSON.
func FuzzParse(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","method":"a.b","params":["x",{"y":"\u0041"}],"id":1e3}`)
	f.Add(`{"jsonrpc":"2.0","method":"a.b","params":{"x":"\ud800"},"id":"\\"}`)
	f.Fuzz(func(t *testing.T, in string) {
		q, ok := jsonrpc.Parse([]byte(in))
		if !ok {
			return
		}
		yes := true
		s := &server{pretty: &yes, call: func(_ string, words []string) ([]byte, *command.Fault) {
			b, _ := json.Marshal(words)
			return b, nil
		}}
		if a := s.run(q); !json.Valid(a.body) || a.code != 200 && a.code != 400 {
			t.Fatalf("%q: %d %s", in, a.code, a.body)
		}
	})
}

func TestWithoutHTTP(t *testing.T) {
	b := moduletest.New(t, route.Declared{Name: "jsonrpcs", Define: Define})
	f := func(before, x, want string) {
		t.Helper()
		if got := b.Value(before, x); got != want {
			t.Errorf("%s %s is %s, want %s", before, x, got, want)
		}
	}
	f("", "jsonrpc_dispatch()", "-1")
	f("", `jsonrpc_exec("x")`, "-1")
	f("", "$jsonrpl(code)", "null")
	f("", "$jsonrpl(body)", "null")
	b.Fails("see($jsonrpl(x));", "there is $jsonrpl(code), (text) and (body), not $jsonrpl(x)")
}

// TestDoors: where documents come by besides HTTP.
func TestDoors(t *testing.T) {
	f := func(params, fifo, socket string) {
		t.Helper()
		_, set, _, err := route.Load("x.cfg", []byte("loadmodule \"jsonrpcs.so\"\n"+params+
			"\nrequest_route { exit; }"), route.Options{Modules: []route.Declared{
			{Name: "jsonrpcs", Define: Define}}})
		if err != nil {
			t.Fatal(err)
		}
		d := &set.Control.Documents
		show := func(d *route.DocumentDoor) string {
			if d.Usual {
				return d.Network + ":" + d.Address + "?"
			}
			return d.Network + ":" + d.Address
		}
		if got := show(&d.FIFO); got != fifo {
			t.Errorf("%s\nFIFO: %s, want %s", params, got, fifo)
		}
		if got := show(&d.Datagram); got != socket {
			t.Errorf("%s\nsocket: %s, want %s", params, got, socket)
		}
	}
	f("", "fifo:/run/kamailio/kamailio_rpc.fifo?", "unixgram:/run/kamailio/kamailio_rpc.sock?")
	f("run_dir=\"/x\"\nmodparam(\"jsonrpcs\", \"fifo_name\", \"f\")", "fifo:/x/f", "unixgram:/x/kamailio_rpc.sock?")
	f(`modparam("jsonrpcs", "dgram_socket", "udp:127.0.0.1:8090")
modparam("jsonrpcs", "fifo_name", "/x//f")`, "fifo:/x/f", "udp:127.0.0.1:8090")
	f(`modparam("jsonrpcs", "transport", 1)
modparam("jsonrpcs", "fifo_name", "/f")`, ":", ":")
	f(`modparam("jsonrpcs", "transport", 3)`, "fifo:/run/kamailio/kamailio_rpc.fifo?", ":")
	f(`modparam("jsonrpcs", "transport", 4)`, ":", "unixgram:/run/kamailio/kamailio_rpc.sock?")
	b := moduletest.New(t, route.Declared{Name: "jsonrpcs", Define: Define})
	b.Head = `modparam("jsonrpcs", "dgram_socket", "udp:1.2.3.4")`
	b.Fails("exit;", `jsonrpcs.dgram_socket is "udp:1.2.3.4"; write a path, or udp:HOST:PORT`)
}

// TestDocument: an answer, the FIFO that it goes to, and what is none.
func TestDocument(t *testing.T) {
	pretty, all := false, 0
	s := &server{pretty: &pretty, transport: &all,
		call: func(name string, words []string) ([]byte, *command.Fault) {
			return []byte(`"` + name + " " + strings.Join(words, ",") + "\"\n"), nil
		}}
	f := func(in, want, name, wrong string) {
		t.Helper()
		b, n, w := s.document([]byte(in))
		if string(b) != want || n != name || w != wrong {
			t.Errorf("%s: %s, %s, %s, want %s, %s, %s", in, b, n, w, want, name, wrong)
		}
	}
	f(`{"jsonrpc":"2.0","method":"a","params":[1],"reply_name":"r","id":7}`,
		`{"jsonrpc":"2.0","result":"a 1","id":7}`, "r", "")
	f(`{"jsonrpc":"2.0","method":"a","reply_name":7}`, `{"jsonrpc":"2.0","result":"a "}`, "", "")
	f(`{"method":"a","reply_name":"r"}`,
		`{"jsonrpc":"2.0","error":{"code":400,"message":"\"jsonrpc\" must be \"2.0\""}}`, "r", "")
	f(`{bad`, "", "", "{bad is no JSON")
}
