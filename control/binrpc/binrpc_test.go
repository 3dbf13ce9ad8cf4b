package binrpc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRead reads what kamcmd 5.6.3 wrote.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		packet, method string
		args           []string
	}{
		{"a1030f72f8e906 910d636f72652e76657273696f6e00", "core.version", nil},
		{"a103170c05b7a9 91086366672e67657400 51636f726500 61646562756700", "cfg.get",
			[]string{"core", "debug"}},
		{"a1031a7e5d30f6 910a636f72652e6563686f00 1001 4161626300 2209c4 31373700", "core.echo",
			[]string{"1", "abc", "2.5", "77"}},
		{"a1030b00000001 4161626300 40ffffffff 00", "abc", []string{"-1", "0"}},
	} {
		in := bytes.NewReader(append(unhex(t, c.packet), 'x'))
		q, err := Read(in)
		if err != nil || q.Method != c.method || !reflect.DeepEqual(q.Args, c.args) {
			t.Errorf("%s: %+v, %v, want %s %q", c.packet, q, err, c.method, c.args)
		}
		if in.Len() != 1 {
			t.Errorf("%s: %d bytes are left, want the one behind the packet", c.packet, in.Len())
		}
	}
}

// TestReadBad: what names nothing to call can be answered; what is no packet cannot.
func TestReadBad(t *testing.T) {
	for _, c := range []struct{ packet, want string }{
		{"a1030072f8e906", "no method"},
		{"a1030272f8e906 1001", "the first record is no name"},
		{"a1030372f8e906 916161", "within a record"},
		{"a1030572f8e906 2161 00 03 83", "a structure or an array"},
		{"a1030672f8e906 2161 00 5000 00", "within a record"},
		{"a1030972f8e906 2161 00 500000000001", "a number of 5 bytes"},
		{"a1030472f8e906 2161 00 d1", "a length of 5 bytes"},
	} {
		q, err := Read(bytes.NewReader(unhex(t, c.packet)))
		var bad *BadError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || q == nil {
			t.Errorf("%s: %v, want %q", c.packet, err, c.want)
		}
	}
	for _, c := range []string{"", "a1", "00", "b103", "a113", "a10301", "a1030f72f8e906",
		"a10bffffff00000001"} {
		q, err := Read(bytes.NewReader(unhex(t, c)))
		var bad *BadError
		if err == nil || errors.As(err, &bad) || q != nil {
			t.Errorf("%q: %+v, %v, want an error that ends the connection", c, q, err)
		}
	}
}

// TestReply writes what Kamailio 5.6.3 answered.
func TestReply(t *testing.T) {
	q := &Request{cookie: unhex(t, "66c5143b")}
	for _, c := range []struct{ answer, packet string }{
		{`"kamailio 5.6.3 (x86_64/linux) "`,
			"a1132166c5143b911f6b616d61696c696f20352e362e3320287838365f36342f6c696e7578292000"},
		{`0`, "a1130166c5143b00"},
		{`{"now":"Mon Nov 30 18:24:24 2026","up_since":"Mon Nov 30 18:24:21 2026","uptime":3}`,
			"a1135266c5143b03456e6f770091194d6f6e204e6f762033302031383a32343a3234203230323600" +
				"950975705f73696e63650091194d6f6e204e6f762033302031383a32343a3231203230323600" +
				"75757074696d6500100383"},
		{`["a=1","b"]`, "a1130866c5143b 41613d3100 216200"},
		{`{"NRSETS":2,"RECORDS":[{"SET":{"ID":2}},{"SET":{"ID":1}}]}`, "a1133266c5143b" +
			"03 754e525345545300 1002 95085245434f52445300 03" +
			"4553455400 03 3549440010 0283 4553455400 03 3549440010 0183 83 83"},
		{`[]`, "a1130066c5143b"},
		{`{"a":[1,2],"b":[],"c":null,"d":1.5,"e":-1,"f":5000000000,"g":true}`, "a1134666c5143b" +
			"03 256100 04 1001 1002 84 256200 0383 256300 910e3c6e756c6c20737472696e673e00" +
			"256400 2205dc 256500 40ffffffff 256600 910b3530303030303030303000 256700 1001 83"},
	} {
		got, err := q.Reply([]byte(c.answer))
		if want := unhex(t, c.packet); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, %v, want\n%x", c.answer, got, err, want)
		}
	}
	if got := q.Fault(500, "command nosuch.cmd not found"); !bytes.Equal(got, unhex(t,
		"a1332266c5143b2001f4911d636f6d6d616e64206e6f737563682e636d64206e6f7420666f756e6400")) {
		t.Errorf("%x", got)
	}
	for answer, want := range map[string]string{
		`{"a":"` + strings.Repeat("x", MaxReply) + `"}`: "the answer has",
		`{"a":`: "EOF",
		strings.Repeat("[", 50) + strings.Repeat("]", 50): "too many levels",
	} {
		if _, err := q.Reply([]byte(answer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %q", answer, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"a1031a7e5d30f6910a636f72652e6563686f00100141616263002209c431373700",
		"a1030572f8e906216100" + "0383", "a10bffffff00000001"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := Read(bytes.NewReader(b))
		var bad *BadError
		if (q == nil) != (err != nil && !errors.As(err, &bad)) {
			t.Fatalf("%+v, %v", q, err)
		}
		if q != nil {
			q.Fault(400, "no")
		}
	})
}

// FuzzReply: what is JSON becomes records that end where the packet says, each structure closed.
func FuzzReply(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,null],"b":[{"c":{}},7]}`, `[[],[1],{"a":[[1]]}]`, `"x"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return // answers are JSON
		}
		p, err := (&Request{cookie: []byte{1}}).Reply(b)
		if err != nil {
			return
		}
		n := int(p[1]>>2&3) + 1
		records := p[2+n+1:]
		if int(number(p[2:2+n])) != len(records) {
			t.Fatalf("the head says %d bytes, there are %d", number(p[2:2+n]), len(records))
		}
		var open []tag
		for len(records) > 0 {
			first := records[0]
			tg, _, rest, err := record(records)
			if err != nil {
				t.Fatal(err)
			}
			if records = rest; tg != structTag && tg != arrayTag {
				continue
			}
			if first&lengthBit == 0 {
				open = append(open, tg)
			} else if len(open) == 0 || open[len(open)-1] != tg {
				t.Fatalf("%x closes what is not open", p)
			} else {
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Fatalf("%x leaves %d open", p, len(open))
		}
	})
}
