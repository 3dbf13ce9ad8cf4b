package steer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// message is one datagram of the corpus on which the kernel program, the parser and plainKey must
// agree.
type message struct {
	name string
	data []byte
	// kernelGivesUp: there is a key, but finding it would cost the kernel more than it may spend
	// (64 lines, 16 blanks).
	kernelGivesUp bool
	// noSIP: the program returns without counting.
	noSIP bool
}

const tortureFiles = "../../parser/testdata/rfc4475/*.dat"

// corpus returns the odd messages; the RFC 4475 files are part of it.
func corpus(t testing.TB) []message {
	var all []message
	add := func(name, data string) { all = append(all, message{name: name, data: []byte(data)}) }
	header := func(name, line string) {
		add(name, "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"+line+"CSeq: 1 OPTIONS\r\n\r\n")
	}

	for _, name := range []string{"Call-ID", "call-id", "CALL-ID", "cAlL-iD", "i", "I"} {
		for _, colon := range []string{":", ": ", " : ", "\t:\t", ":   \t "} {
			header(fmt.Sprintf("spelled %q", name+colon), name+colon+"a84b4c76e66710@pc33.example.com\r\n")
		}
	}
	for _, length := range []int{1, 2, 3, 4, 7, 8, 9, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 254, 255} {
		header(fmt.Sprintf("value of %d bytes", length), "Call-ID: "+strings.Repeat("k", length)+"\r\n")
	}
	header("value of 256 bytes", "Call-ID: "+strings.Repeat("k", 256)+"\r\n")
	header("value of 600 bytes", "Call-ID: "+strings.Repeat("k", 600)+"\r\n")
	header("empty value", "Call-ID:\r\n")
	header("blank value", "Call-ID: \t \r\n")
	header("folded value", "Call-ID:\r\n folded@h\r\n")
	header("folded after the value", "Call-ID: first@h\r\n second\r\n")
	header("folded name inside another header", "Subject: x\r\n Call-ID: no@h\r\nCall-ID: yes@h\r\n")
	header("no colon", "Call-ID x\r\n")
	header("no blank and no colon", "Call-IDa: x\r\nCall-ID: y@h\r\n")
	header("longer name", "Call-IDX: no@h\r\nCall-ID: yes@h\r\n")
	header("name beginning with i", "In-Reply-To: no@h\r\nInfo: x\r\nCall-ID: yes@h\r\n")
	header("name with CR for the dash", "CALL\rID: no@h\r\nCall-ID: yes@h\r\n")
	header("two Call-IDs", "Call-ID: first@h\r\nCall-ID: second@h\r\n")
	header("compact and long", "i: first@h\r\nCall-ID: second@h\r\n")
	header("NUL in the value", "Call-ID: ab\x00cd@h\r\n")
	header("UTF-8 in the value", "Call-ID: gr\xc3\xbc\xc3\x9fe@h\r\n")
	header("high bytes in the value", "Call-ID: \xff\xfe\x80\x81@h\r\n")
	header("blank in the value", "Call-ID: ab cd@h\r\n")
	header("bare CR after the value", "Call-ID: ab\rcd@h\r\n")
	header("bare CR before a line", "\rCall-ID: no@h\r\n")
	header("colon in the value", "Call-ID: :a:b@h\r\n")
	header("empty line before", "\r\nCall-ID: body@h\r\n")
	header("empty LF line before", "\nCall-ID: body@h\r\n")
	add("LF only", "OPTIONS sip:a@b SIP/2.0\nVia: x\nCall-ID: lf@h\nCSeq: 1 OPTIONS\n\n")
	add("CR only", "OPTIONS sip:a@b SIP/2.0\rVia: x\rCall-ID: cr@h\rCSeq: 1 OPTIONS\r\r")
	add("first header", "SIP/2.0 200 OK\r\nCall-ID: first@h\r\n\r\n")
	add("in the first line only", "Call-ID: line@one\r\nVia: x\r\n\r\n")
	add("in the body only", "SIP/2.0 200 OK\r\nVia: x\r\n\r\nCall-ID: body@h\r\n")
	add("cut in the name", "SIP/2.0 200 OK\r\nCall-")
	add("cut after the name", "SIP/2.0 200 OK\r\nCall-ID")
	add("cut after the colon", "SIP/2.0 200 OK\r\nCall-ID:")
	add("cut in the value", "SIP/2.0 200 OK\r\nCall-ID: abc")
	add("ends with the value's CR", "SIP/2.0 200 OK\r\nCall-ID: abc\r")
	add("shortest possible", "A SIP/2.0\ni:x\n")
	add("12 bytes", "ABCDEFG\ni:x\n")
	add("11 bytes", "ABCDEF\ni:x\n")
	add("no newline at all", strings.Repeat("OPTIONS ", 300))

	// The value's end around the limit of what is searched, and the same message padded behind it.
	for offset := 2040; offset <= 2056; offset++ {
		start := "OPTIONS sip:a@b SIP/2.0\r\nSubject: "
		padded := start + strings.Repeat("p", offset-len(start)-len("\r\nCall-ID: 0123456789")) +
			"\r\nCall-ID: 0123456789\r\nTo: x\r\n\r\n"
		add(fmt.Sprintf("value ends at %d", offset), padded)
		add(fmt.Sprintf("value ends at %d, body of 3,000 bytes", offset), padded+strings.Repeat("b", 3000))
	}
	// newlines at every place of the 16 bytes looked at in one go
	for _, position := range []int{7, 8, 9, 15, 16, 17} {
		header(fmt.Sprintf("line of %d bytes before", position), strings.Repeat("x", position)+"\nCall-ID: place@h\r\n")
	}
	for _, lines := range []int{62, 63, 64, 65, 600} {
		m := message{name: fmt.Sprintf("%d short lines before", lines)}
		m.data = []byte("SIP/2.0 200 OK\r\n" + strings.Repeat("x\n", lines) + "Call-ID: deep@h\r\n\r\n")
		m.kernelGivesUp = lines >= 64
		all = append(all, m)
	}
	for _, blanks := range []int{15, 16, 17, 40} {
		m := message{name: fmt.Sprintf("%d blanks", blanks), kernelGivesUp: blanks > 16}
		m.data = []byte("SIP/2.0 200 OK\r\nCall-ID" + strings.Repeat(" ", blanks) + ":" + strings.Repeat("\t", blanks) +
			"blank@h\r\n\r\n")
		all = append(all, m)
	}
	for name, data := range map[string]string{
		"CRLF keep-alive":    "\r\n\r\n",
		"empty":              "",
		"one byte":           "\x00",
		"STUN binding":       "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl",
		"RTP":                "\x80\x08\x00\x01aaaabbbbcccc",
		"leading CRLF":       "\r\nOPTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
		"leading blank":      " OPTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
		"leading at sign":    "@PTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
		"leading bracket":    "[PTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
		"leading back quote": "`PTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
		"leading brace":      "{PTIONS sip:a@b SIP/2.0\r\nCall-ID: x@h\r\n\r\n",
	} {
		all = append(all, message{name: name, data: []byte(data), noSIP: true})
	}
	return append(all, torture(t)...)
}

func torture(t testing.TB) []message {
	files, err := filepath.Glob(tortureFiles)
	if err != nil || len(files) != 49 {
		t.Fatalf("found %d of the 49 messages of RFC 4475 at %s (%v)", len(files), tortureFiles, err)
	}
	var all []message
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, message{name: filepath.Base(file), data: data})
	}
	return all
}
