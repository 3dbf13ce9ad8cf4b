package parser

import "testing"

// BenchmarkFields shows what each field costs on top of the index.
func BenchmarkFields(b *testing.B) {
	for _, f := range []struct {
		name string
		read func(m *Message) Reason
	}{
		{"TopVia", func(m *Message) Reason { _, r := m.TopVia(); return r }},
		{"CSeq", func(m *Message) Reason { _, r := m.CSeq(); return r }},
		{"From", func(m *Message) Reason { _, r := m.From(); return r }},
		{"To", func(m *Message) Reason { _, r := m.To(); return r }},
		{"MaxForwards", func(m *Message) Reason { _, r := m.MaxForwards(); return r }},
		{"ContentLength", func(m *Message) Reason { _, r := m.ContentLength(); return r }},
		{"CallID", func(m *Message) Reason { return m.checkCallID() }},
		{"RequestURI", func(m *Message) Reason { _, r := m.RequestURI(); return r }},
	} {
		b.Run(f.name, func(b *testing.B) {
			var m Message
			m.Parse(inviteSDP)
			for b.Loop() {
				m.cached = 0
				if r := f.read(&m); r != OK {
					b.Fatal(r)
				}
			}
		})
	}
}
