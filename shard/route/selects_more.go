package route

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"viaduct/parser"
)

// rowSelects has the selects that read the first row of a header.
var rowSelects = map[string]string{
	"expires": "Expires", "max_forwards": "Max-Forwards", "content_type": "Content-Type",
	"content_length": "Content-Length", "subject": "Subject", "organization": "Organization",
	"priority": "Priority", "session_expires": "Session-Expires", "min_se": "Min-SE",
	"user_agent": "User-Agent", "sip_if_match": "SIP-If-Match", "require": "Require",
	"proxy_require": "Proxy-Require", "unsupported": "Unsupported", "supported": "Supported",
	"allow": "Allow", "accept": "Accept", "date": "Date", "identity": "Identity",
	"identity_info": "Identity-Info",
}

// credentials has the selects that read a row of credentials, chosen by its realm.
var credentials = map[string]string{"authorization": "Authorization", "auth": "Authorization",
	"proxy_authorization": "Proxy-Authorization", "proxy_auth": "Proxy-Authorization"}

// credentialSelect compiles @authorization["realm"] and .NAME behind it: a parameter without its
// quotes, or username.user and username.domain. Without a realm it reads the first row.
func credentialSelect(header string, root selStep, steps []selStep) textOf {
	if root.has && root.text == "" || len(steps) > 2 || len(steps) > 0 && steps[0].has {
		return nil
	}
	name, part := "", ""
	if len(steps) > 0 {
		name = steps[0].name
	}
	if len(steps) == 2 {
		if part = steps[1].name; name != "username" || part != "user" && part != "domain" &&
			part != "whole" {
			return nil
		}
	}
	realm := []byte(root.text)
	return func(c *Ctx) ([]byte, bool) {
		for i := -1; ; {
			if i = c.Msg.HeaderByName(header, i+1); i < 0 {
				return nil, false
			}
			row := c.Msg.Bytes(c.Msg.Headers[i].Value)
			if root.has && !bytes.Equal(credential(row, "realm"), realm) {
				continue
			}
			if name == "" {
				return row, true
			}
			b := credential(row, name)
			user, domain, _ := bytes.Cut(b, []byte{'@'})
			switch part {
			case "user":
				b = user
			case "domain":
				b = domain
			}
			return b, b != nil
		}
	}
}

// credential returns a parameter of a row of credentials. It returns nil if the row has none of
// that name.
func credential(row []byte, name string) []byte {
	_, rest, _ := bytes.Cut(row, []byte{' '})
	for len(rest) > 0 {
		var key []byte
		key, rest, _ = bytes.Cut(rest, []byte{'='})
		end, quoted := 0, false
		for end < len(rest) && (quoted || rest[end] != ',') {
			switch rest[end] {
			case '\\':
				end++
			case '"':
				quoted = !quoted
			}
			end++
		}
		end = min(end, len(rest))
		value := bytes.TrimSpace(rest[:end])
		rest = rest[min(end+1, len(rest)):]
		if strings.EqualFold(string(bytes.TrimSpace(key)), name) {
			return unquoted(value)
		}
	}
	return nil
}

// systemSelect compiles @sys.NAME, which does not depend on the message.
func (cc *compiler) systemSelect(path string) textOf {
	when := func(in *time.Location) textOf {
		return func(c *Ctx) ([]byte, bool) {
			start := len(c.buf)
			c.buf = time.Now().In(in).AppendFormat(c.buf, time.ANSIC)
			return c.buf[start:len(c.buf):len(c.buf)], true
		}
	}
	switch path {
	case "sys.pid":
		pid := strconv.AppendInt(nil, int64(os.Getpid()), 10)
		return func(*Ctx) ([]byte, bool) { return pid, true }
	case "sys.server_id":
		id := strconv.AppendInt(nil, int64(cc.set.Core.ServerID), 10)
		return func(*Ctx) ([]byte, bool) { return id, true }
	case "sys.now":
		return func(c *Ctx) ([]byte, bool) { return c.number(time.Now().Unix()), true }
	case "sys.now.local":
		return when(time.Local)
	case "sys.now.gmt", "sys.now.utc":
		return when(time.UTC)
	case "sys.unique":
		start := time.Now().Unix()
		return func(c *Ctx) ([]byte, bool) {
			c.unique++
			at := len(c.buf)
			c.buf = strconv.AppendInt(c.buf, int64(os.Getpid()), 16)
			c.buf = strconv.AppendInt(append(c.buf, '-'), start, 16)
			c.buf = strconv.AppendUint(append(c.buf, '-'),
				c.unique*uint64(max(c.Shard.Shards, 1))+uint64(c.Shard.Number), 16)
			return c.buf[at:len(c.buf):len(c.buf)], true
		}
	}
	return nil
}

// addressSelect compiles @src, @dst and @received where one word stands for several parts.
func addressSelect(path string) textOf {
	put := func(proto, source bool) textOf {
		return func(c *Ctx) ([]byte, bool) {
			start, at := len(c.buf), c.LocalAddr()
			if source {
				at = c.From()
			}
			if proto {
				word, _ := c.TransportWord()
				c.buf = append(append(c.buf, word...), ':')
			}
			c.buf = strconv.AppendUint(append(appendHost(c.buf, at.Addr()), ':'),
				uint64(at.Port()), 10)
			return c.buf[start:len(c.buf):len(c.buf)], true
		}
	}
	switch path {
	case "src.ip_port":
		return put(false, true)
	case "dst.ip_port", "received.ip_port":
		return put(false, false)
	case "received.proto_ip_port":
		return put(true, false)
	}
	return nil
}

// messageSelect compiles the parts of a message that plainSelect does not know.
func (cc *compiler) messageSelect(pos Pos, path string) textOf {
	switch path {
	case "version":
		return func(c *Ctx) ([]byte, bool) {
			line := bytes.TrimRight(c.Msg.Bytes(c.Msg.StartLine), "\r\n")
			if !c.Msg.IsRequest {
				line, _, _ = bytes.Cut(line, []byte{' '})
				return line, true
			}
			return line[bytes.LastIndexByte(line, ' ')+1:], true
		}
	case "event.name":
		return cc.plainSelect("event", nil)
	case "event.params":
		return func(c *Ctx) ([]byte, bool) {
			b, _ := c.First(parser.KindEvent)
			_, b, ok := bytes.Cut(b, []byte{';'})
			return b, ok
		}
	case "msg.header":
		return func(c *Ctx) ([]byte, bool) {
			_, b, _ := bytes.Cut(c.Msg.Raw, []byte("\n"))
			if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
				b = b[:i+2]
			}
			return b, true
		}
	case "msg.body.sdp":
		return func(c *Ctx) ([]byte, bool) {
			kind, _ := c.Header("Content-Type", 0)
			kind, _, _ = bytes.Cut(kind, []byte{';'})
			if !strings.EqualFold(string(bytes.TrimSpace(kind)), "application/sdp") {
				return nil, false
			}
			return c.Body()
		}
	case "msg.flags":
		return func(c *Ctx) ([]byte, bool) { return c.number(int64(c.MessageFlags())), true }
	case "msg.id":
		return cc.variableSelect(pos, "mi")
	case "msg.id.hex":
		id := cc.pvText(pos, "mi")
		if id == nil {
			return nil
		}
		val := id.value()
		return func(c *Ctx) ([]byte, bool) {
			v := val(c)
			start := len(c.buf)
			c.buf = appendHex(c.buf, uint64(v.int()))
			return c.buf[start+8 : len(c.buf) : len(c.buf)], true
		}
	case "branch.uri", "branch.dst_uri", "branch.q", "branch.uriq":
		return branchesSelect(path[len("branch."):])
	case "branch.count":
		return cc.variableSelect(pos, "branch(count)")
	}
	return nil
}

// variableSelect compiles a select that is another name for a variable.
func (cc *compiler) variableSelect(pos Pos, variable string) textOf {
	pv := cc.pvText(pos, variable)
	if pv == nil {
		return nil
	}
	val := pv.value()
	return func(c *Ctx) ([]byte, bool) {
		v := val(c)
		if v.IsNull() || v.Kind == strValue {
			return v.S, !v.IsNull()
		}
		return c.number(v.int()), true
	}
}

// tlsWords has the steps of @tls that have another name in the variables.
var tlsWords = map[string]string{"me": "my", "local": "my", "myself": "my", "cert": "",
	"certificate": "", "common_name": "cn", "name": "cn", "org": "organization",
	"organization_name": "organization", "serial_number": "serial", "sn": "serial",
	"self_signed": "selfsigned", "desc": "description", "host": "san_hostname",
	"hostname": "san_hostname",
	"dns":      "san_hostname", "uri": "san_uri", "url": "san_uri", "email": "san_email",
	"ip": "san_ip"}

// tlsSelect compiles @tls.peer.subject.cn and the like, which is $tls_peer_subject_cn.
func (cc *compiler) tlsSelect(pos Pos, steps []selStep) textOf {
	name := "tls"
	for i, s := range steps {
		word, other := tlsWords[s.name]
		if !other || i > 0 && s.name == "name" && i < len(steps)-1 {
			word = s.name
		}
		if s.has {
			return nil
		}
		if word != "" {
			name += "_" + word
		}
	}
	if name == "tls_cipher" {
		name = "tls_cipher_info"
	}
	if _, there := cc.variableNames(name); !there {
		return nil
	}
	return cc.variableSelect(pos, name)
}
