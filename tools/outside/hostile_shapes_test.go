package outside

import (
	"fmt"
	"strings"
	"testing"
)

// Sizes: thousands of rows and values, and datagrams as long as they get.
func TestHostileSizes(t *testing.T) {
	t.Parallel()
	h := newHostile(t).withTwin()
	// add puts rows in front of Contact; fill makes the message total bytes long.
	add := func(rows string) string { return h.text("Contact:", rows+"Contact:") }
	fill := func(total int, before, unit, behind string) string {
		// the numbers are shorter or longer than their marks
		room := total - len(add(before+behind)) - 16
		return add(before + strings.Repeat(unit, room/len(unit)) + behind)
	}
	h.f("1000 unknown headers", add(strings.Repeat("X: y\r\n", 1000)), "forwarded")
	h.f("5000 unknown headers", add(strings.Repeat("X: y\r\n", 5000)), "513")
	h.f("5000 headers of one letter", add(strings.Repeat("a:\r\n", 5000)), "513")
	h.f("5000 lines that are no headers", add(strings.Repeat("a\r\n", 5000)), "forwarded")
	h.f("a line that is no Content-Length", add("Content-Length 5\r\n"), "400 Bad header line")
	h.f("5000 folds", add("X: y\r\n"+strings.Repeat(" \r\n", 5000)), "forwarded")
	h.f("30000 folds with LF alone", add("X: y\r\n"+strings.Repeat(" \n", 30000)), "400 Control character")
	h.f("30000 tabs", add("X: y"+strings.Repeat("\tz", 30000)+"\r\n"), "forwarded")
	h.f("900 Vias", h.text("Max-", strings.Repeat("Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\n", 900)+"Max-"), "forwarded")
	h.f("1500 Vias", h.text("Max-", strings.Repeat("Via: SIP/2.0/UDP x;branch=z9hG4bKx\r\n", 1500)+"Max-"), "513")
	h.f("1500 Vias in a row",
		h.text("Max-", "Via: SIP/2.0/UDP x"+strings.Repeat(",SIP/2.0/UDP x;branch=z9hG4bKx", 1500)+"\r\nMax-"),
		"forwarded")
	h.f("Vias above ours to be",
		h.text("Via: ", "Via: SIP/2.0/UDP h.example.com:{port};branch=z9hG4bKi{n}"+
			strings.Repeat(", SIP/2.0/UDP x", 3000)+"\r\nVia: "), "forwarded")
	for _, name := range []string{"Route", "Record-Route", "Path"} {
		h.f("900 "+name+"s", add(strings.Repeat(name+": <sip:x;lr>\r\n", 900)), "forwarded")
		h.f("1500 "+name+"s", add(strings.Repeat(name+": <sip:x;lr>\r\n", 1500)), "513")
		h.f("4000 "+name+"s in a row", add(name+": <sip:x;lr>"+strings.Repeat(",<sip:x;lr>", 4000)+"\r\n"), "forwarded")
	}
	ours := fmt.Sprintf("<sip:%s;lr>", h.srv.addr)
	o, _ := h.send(h.sender, "1000 Routes of ours", add("Route: "+ours+strings.Repeat(","+ours, 1000)+"\r\n"))
	if o.count() != 1 || len(o.forwarded) != 1 || len(o.forwarded[0].all("Route")) != 1 {
		t.Errorf("1000 Routes of ours: %s", o)
	}
	o, _ = h.send(h.sender, "strict router before us, 1000 Routes",
		strings.Replace(add("Route: "+strings.Repeat("<sip:y;lr>,", 1000)+"<sip:z;lr>\r\n"), "sip:bob@example.com",
			"sip:"+h.srv.addr.String()+";lr", 1))
	if o.count() != 1 {
		t.Errorf("strict router before us: %s", o)
	}
	h.f("8000 tags of Proxy-Require", add("Proxy-Require: a"+strings.Repeat(",a", 8000)+"\r\n"), "420")
	h.f("30000 tags of Proxy-Require", add("Proxy-Require: a"+strings.Repeat(",a", 30000)+"\r\n"), "420")
	h.f("700 rows of Proxy-Require", add(strings.Repeat("Proxy-Require:a\r\n", 700)), "420")
	h.f("a method of 60000 letters", h.text("MESSAGE sip", strings.Repeat("M", 60000)+" sip"), "501|400 CSeq")
	h.f("a URI of 60000 letters", h.text("sip:bob", "sip:"+strings.Repeat("b", 60000)), "forwarded|4|5")
	h.f("a URI of 30000 parameters", h.text("com SIP", "com"+strings.Repeat(";a", 30000)+" SIP"), "forwarded|4|5")
	h.f("a Call-ID of 60000 letters", h.text("h{n}@h\r", "h{n}"+strings.Repeat("i", 60000)+"\r"), "forwarded")
	h.f("a branch of 30000 letters", h.text("bKh{n}", "bKh{n}"+strings.Repeat("b", 30000)), "forwarded")
	h.f("a From tag of 30000 letters", h.text("tag=f{n}", "tag=f{n}"+strings.Repeat("b", 30000)), "forwarded")
	h.f("a header name of 60000 letters", add(strings.Repeat("X", 60000)+": y\r\n"), "forwarded")

	// 65,507 bytes: what is forwarded grows and does not fit any more; what is answered must not.
	for _, unit := range []string{"A", ",", ";", "\"", "<", "<>", "\"\"", "\\", " ", "\r\n ", "=", "\x00", "\xff", "(",
		"%", ":", "@", "[", "<sip:x;lr>,", ";a=b", "a,", "\"\\\"\","} {
		h.f(fmt.Sprintf("unknown header of %q, 64 KB", unit), fill(datagramBytes, "X: ", unit, "y\r\n"), "513")
		h.f(fmt.Sprintf("unknown header of %q", unit), fill(65000, "X: ", unit, "y\r\n"), "forwarded")
		for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Via", "Content-Length"} {
			long := strings.Repeat(unit, (datagramBytes-len(h.text())-16)/len(unit))
			want := "400 Bad " + name + "|400 Invalid " + name + " Header|513|400 Differing|dropped: unanswerable|400 Body|400 Empty"
			h.f(fmt.Sprintf("%s of %q, 64 KB", name, unit), h.text(hostileRows[name], name+": "+long+"\r\n"), want)
			if name == "From" || name == "To" || name == "Via" {
				row := strings.TrimSuffix(hostileRows[name], "\r\n")
				h.f(fmt.Sprintf("%s with %q behind it, 64 KB", name, unit), h.text(row, row+long), want)
			}
		}
		for _, name := range []string{"Route", "Proxy-Require", "Contact"} {
			h.f(fmt.Sprintf("%s of %q, 64 KB", name, unit), fill(datagramBytes, name+": ", unit, "y\r\n"),
				"513|400 Bad "+name+"|420|dropped: bad list")
		}
		whole := strings.Repeat(unit, datagramBytes/len(unit))
		h.f(fmt.Sprintf("nothing but %q", unit), whole, "dropped: (unanswerable|empty|bad)")
		h.f(fmt.Sprintf("a request line of %q", unit),
			h.text("sip:bob@example.com", "sip:bob@example.com"+whole[:60000]), "forwarded|400|513|41|505")
	}
	body := h.text("Length: 4\r\n\r\nbody", fmt.Sprintf("Length: 65000\r\n\r\n%s", strings.Repeat("\r\n", 32500)))
	h.f("a body of 65000", body, "forwarded")
	h.f("noise behind the body", h.text("body", "body"+strings.Repeat("MESSAGE sip:bob SIP/2.0\r\n", 2500)),
		"forwarded")
	for _, c := range []string{"\r", "\n", "\r\n", "\x00", "\r\n\r\n"} {
		h.f(fmt.Sprintf("keep-alive %q", c), c, "dropped: empty")
	}
	h.f("no bytes", "", "dropped: empty")
	for n := 1; n < 30; n++ {
		h.f(fmt.Sprintf("the first %d bytes", n), h.text()[:n], "dropped: unanswerable")
	}
}

// Other spellings of the same, which must all be understood, and what looks like one and is none.
func TestHostileSpellings(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	compact := strings.NewReplacer("Via:", "v:", "From:", "f:", "To:", "t:", "Call-ID:", "i:", "Contact:", "m:",
		"Content-Length:", "l:")
	h.f("compact names", compact.Replace(h.text()), "forwarded")
	h.f("compact names, upper case",
		compact.Replace(h.text("Via", "V", "From", "F", "To:", "T:", "Call-ID", "I", "Contact", "M", "Content-Length",
			"L")), "forwarded")
	h.f("upper case", h.text("Via", "VIA", "From", "FROM", "To:", "TO:", "Call-ID", "CALL-ID", "CSeq", "CSEQ",
		"Max-Forwards", "MAX-FORWARDS", "Content-Length", "CONTENT-LENGTH"), "forwarded")
	h.f("odd case", h.text("Via", "vIa", "From", "fRoM", "To:", "tO:", "Call-ID", "cALL-iD", "CSeq", "cSEq",
		"Max-Forwards", "mAX-fORWARDS", "Content-Length", "cONTENT-lENGTH",
		"SIP/2.0\r", "sIp/2.0\r", "SIP/2.0/UDP", "sIp/2.0/uDp", "branch", "bRANCH", "sip:bob", "SiP:bob"), "forwarded")
	h.f("compact and long at once", h.text("From:", "f: <sip:x@y>;tag=1\r\nFrom:"), "400 Doubled From")
	h.f("Call-ID twice, once compact", h.text("Call-ID:", "i: x\r\nCall-ID:"), "400 Doubled Call-ID")
	h.f("method in lower case", h.text("MESSAGE sip", "message sip", "1 MESSAGE", "1 message"), "forwarded")
	for _, ws := range []string{"", "  ", "\t", " \t ", "\r\n ", "\r\n\t", "\r\n \r\n\t", " \r\n  "} {
		name := fmt.Sprintf("%q", ws)
		h.f(name+" behind the colons", strings.ReplaceAll(h.text(), ": ", ":"+ws), "forwarded")
		h.f(name+" in front of every semicolon of From", h.text("com>;tag", "com>"+ws+";tag"), "forwarded")
		h.f(name+" behind every semicolon", strings.ReplaceAll(h.text(), ";", ";"+ws), "forwarded")
		h.f(name+" around the branch's =", h.text("branch=", "branch"+ws+"="+ws), "forwarded")
		h.f(name+" around Via's slashes", h.text("/2.0/UDP", ws+"/"+ws+"2.0"+ws+"/"+ws+"UDP"), "forwarded")
		h.f(name+" around Via's colon", h.text("h.example.com:", "h.example.com"+ws+":"+ws), "forwarded")
		h.f(name+" at the line ends",
			strings.ReplaceAll(strings.Replace(h.text("\r\n\r\nbody", "\r\n\x01"), "SIP/2.0\r\n", "\x02", 1), "\r\n",
				ws+"\r\n"), "")
		if ws != "" {
			h.f(name+" in CSeq", h.text("1 MESSAGE", "1"+ws+"MESSAGE"), "forwarded")
			h.f(name+" in front of Via's host", h.text("UDP h.", "UDP"+ws+"h."), "forwarded")
		}
		if !strings.Contains(ws, "\n") {
			h.f(name+" in front of the colons",
				strings.NewReplacer("From:", "From"+ws+":", "Via:", "Via"+ws+":", "Content-Length:",
					"Content-Length"+ws+":", "Call-ID:", "Call-ID"+ws+":").Replace(h.text()), "forwarded")
		}
	}
	h.f("folds through Via",
		h.text("Via: SIP/2.0/UDP h.example.com:{port};branch=z9hG4bKh{n}",
			"Via:\r\n SIP\r\n /\r\n 2.0\r\n /\r\n UDP\r\n h.example.com\r\n :\r\n {port}\r\n ;\r\n branch\r\n =\r\n"+
				" z9hG4bKh{n}\r\n ,\r\n SIP/2.0/UDP\r\n x"), "forwarded")
	h.f("a fold that looks like a header",
		h.text("Contact:", "X: y\r\n Route: <sip:evil;lr>\r\n Content-Length: 0\r\nContact:"), "forwarded")
	h.f("a fold that looks like the end", h.text("Contact:", "X: y\r\n \r\n\t\r\nContact:"), "forwarded")
	h.f("CRLFs in front", strings.Repeat("\r\n", 100)+h.text(), "forwarded")
	h.f("LFs in front", strings.Repeat("\n", 10)+h.text(), "forwarded")
	h.f("LF alone as line end", strings.ReplaceAll(h.text(), "\r\n", "\n"), "forwarded|400")
	h.f("CR alone as line end", strings.ReplaceAll(h.text(), "\r\n", "\r"), "dropped: unanswerable|400")
	h.f("CR alone inside a value", h.text("Contact:", "X: y\rRoute: <sip:evil;lr>\r\nContact:"), "forwarded|400")
	h.f("CR CR LF at the end of the headers", h.text("\r\n\r\nbody", "\r\n\r\r\nbody"), "400|forwarded")
	h.f("space in front of the request line", " "+h.text(), "400 Bad request line|dropped")
	h.f("tab in the request line", h.text("MESSAGE sip", "MESSAGE\tsip"), "400 Bad request line")
	h.f("bad UTF-8 in display names",
		h.text("From: <", "From: \"\xc3\x28\xff\xfe\" <", "To: <", "To: \"\xed\xa0\x80\" <"), "forwarded")
	h.f("NULs in display names", h.text("From: <", "From: \"a\\\x00b\" <"), "forwarded")
	h.f("a display name with everything", h.text("From: <", "From: \"<sip:x@y>;tag=z, \\\"\\\\ : Route:\" <"),
		"forwarded")
	h.f("parameters with everything", h.text("tag=f{n}", "tag=f{n};x=\"<,;>\\\"\";y"), "forwarded")

	// Hosts.
	for _, c := range []struct{ host, via, uri string }{
		{"[::1]", "f", "f"}, {"[2001:DB8::1]", "f", "f"}, {"[::ffff:192.0.2.1]", "f", "f"},
		{"[1:2:3:4:5:6:7:8]", "f", "f"},
		{"::1", "d", "4"}, {"[::1", "d", "4"}, {"[]", "d", "4"}, {"[::1]]", "d", "4"}, {"[fe80::1%25eth0]", "d", "4"},
		{"[fe80::1%eth0]", "d", "4"}, {"[1:2:3:4:5:6:7:8:9]", "d", "4"},
		{"[1::2::3]", "d", "4"}, {"[12345::]", "d", "4"}, {"[::1.2.3]", "d", "4"}, {"[192.0.2.1]", "d", "4"},
		{"[" + strings.Repeat("0:", 2000) + "]", "d", "4"}, {"256.256.256.256", "f", "f"}, {"1.2.3.4.5", "f", "f"},
		{"255.255.255.255", "f", "f"}, {"0.0.0.0", "f", "f"}, {"a..b", "f", "f"}, {"-", "f", "f"}, {".", "f", "f"},
		{strings.Repeat("a.", 20000), "f", "f"},
	} {
		wants := map[string]string{"f": "forwarded", "d": "dropped: unanswerable|400 Bad Via",
			"4": "400 Bad Request-URI"}
		short := c.host[:min(len(c.host), 30)]
		h.f("Via "+short, h.text("h.example.com:{port}", c.host+":{port}"), wants[c.via])
		h.f("Request-URI "+short, h.text("bob@example.com SIP", "bob@"+c.host+" SIP"), wants[c.uri])
	}
	h.f("maddr of a multicast group", h.text("{port};", "{port};maddr=224.0.0.1;ttl=255;"), "forwarded")
	o := h.f("maddr of a multicast group, to be answered",
		h.text("{port};", "{port};maddr=224.0.0.1;ttl=255;", "MESSAGE sip", "MASSAGE sip"), "501")
	if len(o.at) == 1 && o.at[0] != h.sender.addr.Port() {
		t.Errorf("answered to port %d", o.at[0])
	}
}

// ACK and CANCEL are answered by rules of their own.
func TestHostileAckCancel(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	as := func(method string, edits ...string) string {
		return strings.ReplaceAll(h.text(edits...), "MESSAGE", method)
	}
	h.f("an ACK of nothing", as("ACK"), "forwarded")
	for name, edits := range map[string][]string{
		"bad CSeq": {"CSeq: 1", "CSeq: x"}, "missing From": {hostileRows["From"], ""},
		"bad Request-URI": {"sip:bob@example.com", "sip:@"},
		"bad SIP version": {"com SIP/2.0", "com SIP/3.0"}, "bad request line": {"com SIP/2.0", "com SIP/2.0 "},
		"bad Via": {"bKh{n}", "bKh{n};;"}, "doubled Call-ID": {"Call-ID:", "i: x\r\nCall-ID:"},
		"body shorter than Content-Length": {"Length: 4", "Length: 9"}, "bad Max-Forwards": {"70", "x"},
		"bad Route": {"Contact", "Route: <\r\nContact"}, "empty Via branch": {"bKh{n}", "bK"},
		"unanswerable": {hostileRows["Via"], ""}, "stray ACK": {"Forwards: 70", "Forwards: 0"},
	} {
		h.f("an ACK with "+name, as("ACK", edits...), "dropped: "+name)
	}
	// Nothing of To says where an ACK goes: it is judged as the 200 that it answers.
	h.f("an ACK with a To that does not end", as("ACK", "To: <", "To: \""), "forwarded")
	h.f("an ACK with Proxy-Require", as("ACK", "Contact", "Proxy-Require: x\r\nContact"), "forwarded")
	h.f("an ACK with a mad CSeq method", h.text("MESSAGE sip", "ACK sip", "1 MESSAGE", "1 INVITE"),
		"dropped: CSeq method mismatch")
	h.f("a CANCEL of nothing", as("CANCEL"), "481|dropped: dropped by program")
	h.f("a CANCEL with Proxy-Require", as("CANCEL", "Contact", "Proxy-Require: x\r\nContact"),
		"481|dropped: dropped by program")
	h.f("a CANCEL with a bad CSeq", as("CANCEL", "CSeq: 1", "CSeq: x"), "400 Bad CSeq")
	h.f("a CANCEL with an INVITE's CSeq", h.text("MESSAGE sip", "CANCEL sip", "1 MESSAGE", "1 INVITE"),
		"400 CSeq method mismatch")

	// Of a call: its retransmissions, and what is nearly one.
	invite := as("INVITE")
	invite = strings.NewReplacer("{n}", "call", "{port}", fmt.Sprint(h.sender.addr.Port())).Replace(invite)
	h.sender.send(h.srv.addr, invite)
	got := h.destination.expect("INVITE")
	h.sender.expect("100")
	like := func(method string, edits ...string) string {
		s := strings.ReplaceAll(invite, "INVITE", method)
		for i := 0; i < len(edits); i += 2 {
			s = strings.Replace(s, edits[i], edits[i+1], 1)
		}
		return s
	}
	h.destination.reply(got, 180, "Ringing", "there")
	h.sender.expect("180")
	if o, _ := h.send(h.sender, "the INVITE again", like("INVITE")); len(o.forwarded) > 0 || o.absorbed != 1 {
		t.Errorf("the INVITE again: %s", o)
	}
	if o, _ := h.send(h.sender, "the INVITE again with another body",
		like("INVITE", "body", "ydob")); len(o.forwarded) > 0 || o.absorbed != 1 {
		t.Errorf("the INVITE again with another body: %s", o)
	}
	h.f("a CANCEL with another branch", like("CANCEL", "bKhcall", "bKhcalls"), "481|dropped: dropped by program")
	h.f("a CANCEL with another sent-by", like("CANCEL", "h.example.com", "g.example.com"),
		"481|dropped: dropped by program")
	h.f("a CANCEL with an ending number", like("CANCEL", "CSeq: 1 ", "CSeq: 99999999999 "), "400 Bad CSeq")
	h.destination.reply(got, 486, "Busy", "there")
	h.destination.expect("ACK")
	h.sender.expect("486")
	h.f("an ACK with another branch", like("ACK", "bKhcall", "bKhcalls"), "forwarded")
	if o, _ := h.send(h.sender, "the ACK",
		like("ACK", "<sip:bob@example.com>\r", "<sip:bob@example.com>;tag=there\r")); len(o.forwarded) > 0 ||
		len(o.answers) > 0 || len(o.dropped) > 0 {
		t.Errorf("the ACK: %s", o)
	}
}

// Responses: those of others, and those of ours with something wrong. None is answered, and none
// but the right one is passed on.
func TestHostileResponses(t *testing.T) {
	t.Parallel()
	h := newHostile(t)
	request := strings.NewReplacer("{n}", "asked", "{port}", fmt.Sprint(h.sender.addr.Port())).Replace(h.text())
	h.sender.send(h.srv.addr, request)
	asked := h.destination.expect("MESSAGE")
	h.isNew(asked) // and comes again, by Timer E
	good := replyText(asked, h.destination.addr, 200, "OK", "there")
	branch := asked.branch()
	f := func(name, old, new, want string) {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%s: there is no %q in\n%s", name, old, good)
		}
		o, _ := h.send(h.destination, name, strings.Replace(good, old, new, 1))
		if o.count() != 1 || !strings.HasPrefix(o.String(), want) {
			t.Errorf("%s: %s; want %s", name, o, want)
		}
	}
	own := h.srv.addr.String()
	f("of another", own, "192.0.2.1:5060", "dropped: Via not ours")
	f("with another port", own, "127.0.0.1:1", "dropped: Via not ours")
	f("without a port", own, "127.0.0.1", "dropped: Via not ours")
	f("without its Via", "Via: "+asked.all("Via")[0]+"\r\n", "", "dropped: Via not ours")
	f("without any Via", "Via: "+asked.all("Via")[0]+"\r\nVia: "+asked.all("Via")[1]+"\r\n", "", "dropped: missing Via")
	f("without a branch", ";branch="+branch, "", "dropped: stray response")
	f("with an empty branch", ";branch="+branch, ";branch=", "dropped: bad Via")
	f("with the cookie alone", ";branch="+branch, ";branch=z9hG4bK", "dropped: stray response")
	for i := range branch {
		for _, c := range []string{"", string(branch[i]) + "0", "\"", ",", ";", "~", "\x00", "\xff", " "} {
			mangled := branch[:i] + c + branch[i+1:]
			if c == "\"" || c == "," || c == ";" || c == "\x00" || c == "\xff" || c == " " {
				f(fmt.Sprintf("with the branch %q", mangled), branch, mangled, "dropped: ")
				continue
			}
			f(fmt.Sprintf("with the branch %q", mangled), branch, mangled, "dropped: stray response")
		}
	}
	f("with a branch of 30000", branch, branch+strings.Repeat("0", 30000), "dropped: stray response")
	f("of another method", "1 MESSAGE", "1 INVITE", "dropped: stray response")
	f("of a bad CSeq", "1 MESSAGE", "x MESSAGE", "dropped: bad CSeq")
	// they would end the right transaction
	for old, new := range map[string]string{"Call-ID: hasked@h\r\n": "dropped: missing Call-ID",
		"From:": "dropped: doubled From"} {
		row := ""
		if old == "From:" {
			row = "f: <sip:x@y>\r\nFrom:"
		}
		text := strings.NewReplacer(old, row, branch, branch[:len(branch)-1]+"z").Replace(good)
		if o, _ := h.send(h.destination, "of nothing", text); o.count() != 1 || !strings.HasPrefix(o.String(), new) {
			t.Errorf("of nothing: %s; want %s", o, new)
		}
	}
	for _, status := range []string{"", "0", "00", "099", "700", "999", "1000", "20", "0200", "2000", "-200", "+200",
		"2e2", "abc", "4294967496", "18446744073709551816", "\x00", "2\x000"} {
		want := "dropped: bad status"
		if strings.Contains(status, "\x00") {
			want = "dropped: control character"
		}
		f("status "+status, "SIP/2.0 200 OK", "SIP/2.0 "+status+" OK", want)
	}
	f("another version", "SIP/2.0 200 OK", "SIP/3.0 200 OK", "dropped: bad SIP version")
	f("another version and no code", "SIP/2.0 200 OK", "SIP/3.0 OK", "dropped: bad SIP version")
	f("no version", "SIP/2.0 200 OK", "SIP/ 200 OK", "dropped: bad status line")
	f("no line", "SIP/2.0 200 OK", "SIP/", "dropped: bad status line")
	f("too many headers", "Contact:", strings.Repeat("X: y\r\n", 2000)+"Contact:", "dropped: too many headers")
	f("no end", "\r\n\r\n", "\r\n", "dropped: no empty line")
	f("a longer body than there is", "Content-Length: 0", "Content-Length: 1", "dropped: body shorter")
	o, _ := h.send(h.destination, "the right one",
		strings.Replace(good, "200 OK", "200 \t\xff"+strings.Repeat("x", 60000), 1))
	if len(o.answers) != 1 || o.answers[0].status() != 200 || len(o.answers[0].raw) < 60000 ||
		len(o.answers[0].all("Via")) != 1 {
		t.Errorf("the right one: %s", o)
	}
	if o, _ := h.send(h.destination, "the right one again", good); len(o.answers) > 0 || o.absorbed != 1 {
		t.Errorf("the right one again: %s", o)
	}
}
