package route

import (
	"net/netip"
	"strconv"
)

// The variables of what a message arrived on and leaves by.

// defineStreamPVs adds them. A number that may be missing is null then.
func defineStreamPVs() {
	str := func(f func(c *Ctx) ([]byte, bool)) *pvDef { return &pvDef{code: pvCode{bytes: f}} }
	temp := func(f func(c *Ctx) ([]byte, bool)) *pvDef {
		return &pvDef{code: pvCode{bytes: f, temp: true}}
	}
	num := func(f func(c *Ctx) (int64, bool)) *pvDef { return &pvDef{code: pvCode{num: f}} }
	settable := func(d *pvDef, f func(c *Ctx, v Value) setResult) *pvDef {
		d.code.set, d.code.builds = f, true
		return d
	}
	source := (*Ctx).From
	received := (*Ctx).to
	for n, d := range map[string]*pvDef{
		"su":  temp(addrURI(source, false)),
		"sut": temp(addrURI(source, true)),
		"Ru":  temp(addrURI(received, false)),
		"Rut": temp(addrURI(received, true)),
		"Rn":  str(func(c *Ctx) ([]byte, bool) { b := c.receivedBy().name; return b, len(b) > 0 }),

		"RAi":  temp(readAdvertised),
		"RAp":  num(readAdvertisedPort),
		"RAu":  temp(advertisedURI(false)),
		"RAut": temp(advertisedURI(true)),

		"fs":  settable(str(readSendSocket), setSendSocket),
		"fsn": settable(str(readSendSocketName), setSendSocketName),

		"conid": num(func(c *Ctx) (int64, bool) { id := int64(c.Connection()); return id, id > 0 }),
	} {
		pvs[n] = d
	}
	pvs["snd"], pvs["sndto"] = &pvDef{inner: true, make: sendingVar(sentTo)},
		&pvDef{inner: true, make: sendingVar(sentTo)}
	pvs["sndfrom"] = &pvDef{inner: true, make: sendingVar(sentFrom)}
}

// addrURI is an address as a URI; the transport parameter is left out for UDP unless full.
func addrURI(addr func(c *Ctx) netip.AddrPort, full bool) func(c *Ctx) ([]byte, bool) {
	return func(c *Ctx) ([]byte, bool) {
		a := addr(c)
		start := len(c.buf)
		c.buf = strconv.AppendUint(append(appendHost(append(c.buf, "sip:"...), a.Addr()), ':'),
			uint64(a.Port()), 10)
		return c.withTransport(start, full), true
	}
}

// withTransport ends the URI that begins at start of the scratch room.
func (c *Ctx) withTransport(start int, full bool) []byte {
	if t := c.Transport(); full || t != UDP {
		word, _ := transportName(t)
		c.buf = append(append(c.buf, ";transport="...), word...)
	}
	return c.buf[start:len(c.buf):len(c.buf)]
}

// readSendSocket is $fs, readSendSocketName $fsn.
func readSendSocket(c *Ctx) ([]byte, bool) {
	l := c.forced()
	if l == nil {
		return nil, false
	}
	return l.socket, true
}

func readSendSocketName(c *Ctx) ([]byte, bool) {
	l := c.forced()
	if l == nil {
		return nil, false
	}
	return l.name, len(l.name) > 0
}

// readAdvertised is $RAi: what the listener shows, or its own address.
func readAdvertised(c *Ctx) ([]byte, bool) {
	if l := c.receivedBy(); len(l.advertised) > 0 {
		return l.advertised, true
	}
	return readRcvIP(c)
}

func readAdvertisedPort(c *Ctx) (int64, bool) {
	l := c.receivedBy()
	if len(l.advertised) > 0 && l.AdvertisePort > 0 {
		return int64(l.AdvertisePort), true
	}
	return int64(l.Addr.Port), true
}

func advertisedURI(full bool) func(c *Ctx) ([]byte, bool) {
	plain := addrURI((*Ctx).to, full)
	return func(c *Ctx) ([]byte, bool) {
		l := c.receivedBy()
		host, port := l.advertised, l.AdvertisePort
		if len(host) == 0 {
			return plain(c)
		}
		start := len(c.buf)
		c.buf = append(append(c.buf, "sip:"...), host...)
		if port > 0 {
			c.buf = strconv.AppendUint(append(c.buf, ':'), uint64(port), 10)
		}
		return c.withTransport(start, full), true
	}
}

// setSendSocket is $fs = "proto:host:port"; $null takes it back.
func setSendSocket(c *Ctx, v Value) setResult { return done(c.ForceSocket(c.text(&v)) > 0) }

func setSendSocketName(c *Ctx, v Value) setResult { return done(c.ForceSocketName(c.text(&v)) > 0) }
