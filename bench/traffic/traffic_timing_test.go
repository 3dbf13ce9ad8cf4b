package traffic

import "testing"

func BenchmarkScan(b *testing.B) {
	for _, name := range []string{"INVITE", "200", "BYE"} {
		datagram := everyMessage(b)[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var m message
			for b.Loop() {
				if !m.scan(datagram) {
					b.Fatal("does not scan")
				}
			}
		})
	}
}

func BenchmarkInvite(b *testing.B) {
	b.ReportAllocs()
	t := newTemplate(style{testCaller, UDP, false}.inviteText("sip:bob@127.0.0.1:7000"))
	buffer := make([]byte, 0, frameBytes)
	for b.Loop() {
		if out := t.appendTo(buffer, &testID, 7); len(out) != len(t.bytes) {
			b.Fatal("length")
		}
	}
}
