package uac

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"

	"viaduct/parser"
	"viaduct/shard/route"
)

// auth answers challenges of the called side in the caller's place.
type auth struct {
	credentials                []credential
	realmAVP, userAVP, passAVP *string
}

// credential is for one realm.
type credential struct{ user, realm, password []byte }

func (u *auth) define(m *route.Module) {
	m.Each("credential", func(s string) error {
		f := strings.SplitN(s, ":", 3)
		if len(f) < 3 || f[0] == "" || f[1] == "" {
			return errors.New(`must be "user:realm:password"`)
		}
		u.credentials = append(u.credentials, credential{[]byte(f[0]), []byte(f[1]), []byte(f[2])})
		return nil
	}, `"user:realm:password": the credentials for the challenges of one realm.`)
	u.realmAVP = m.Text("auth_realm_avp", "",
		"The variable with the realm; without it, or if it is empty, user and password are for "+
			"any realm.")
	u.userAVP = m.Text("auth_username_avp", "", "The variable with the user.")
	u.passAVP = m.Text("auth_password_avp", "", "The variable with the password, or its HA1.")
	m.Ready(func() error {
		if (*u.userAVP == "") != (*u.passAVP == "") || *u.realmAVP != "" && *u.userAVP == "" {
			return errors.New("auth_username_avp and auth_password_avp go together, and " +
				"auth_realm_avp with them")
		}
		return nil
	})

	mode := route.Int("mode", 0, 1,
		"1: the password is HA1, the hash of user, realm and password by the algorithm of the "+
			"challenge")
	for _, f := range []struct {
		name string
		arg  route.AnyArg
	}{{"uac_auth", route.Optional(mode, 0)}, {"uac_auth_mode", mode}} {
		m.Func(route.Func{Name: f.name, In: route.InFailure, Args: []route.AnyArg{f.arg},
			Doc: "Adds credentials to the request that answer the challenges of the best " +
				"response, so that t_relay() can send it again. Its CSeq stays the same. False: " +
				"there is no challenge that can be answered.",
			Build: func(b *route.Build) route.Call {
				input, ok := route.Optional(mode, 0).At(b, 0)
				from, ok2 := u.variables(b)
				if !ok || !ok2 {
					return nil
				}
				return func(c *route.Ctx) route.Result {
					mode, r := input.Get(c)
					if r <= 0 {
						return r
					}
					return u.answer(c, from, mode == 1)
				}
			}})
	}
}

// variables have the credentials of a call.
type variables struct{ realm, user, password *route.Place }

func (u *auth) variables(b *route.Build) (v variables, ok bool) {
	for _, x := range []struct {
		to          **route.Place
		text, param string
	}{
		{&v.realm, *u.realmAVP, "auth_realm_avp"}, {&v.user, *u.userAVP, "auth_username_avp"},
		{&v.password, *u.passAVP, "auth_password_avp"},
	} {
		if x.text == "" {
			continue
		}
		if *x.to = b.Variable(x.text, x.param); *x.to == nil {
			return v, false
		}
	}
	return v, true
}

// answer is uac_auth().
func (u *auth) answer(c *route.Ctx, from variables, hashed bool) route.Result {
	m := c.Request.BestResponse()
	if m == nil || m.Status != 401 && m.Status != 407 {
		return -1
	}
	kind, name := parser.KindWWWAuthenticate, "Authorization: "
	if m.Status == 407 {
		kind, name = parser.KindProxyAuthenticate, "Proxy-Authorization: "
	}
	// Of the challenges of one realm the first that we know is answered (RFC 8760 §2.4), and of all
	// realms those that we have credentials for.
	var answered [maxRealms][]byte
	n, mark := 0, c.Room()
	for row := m.First(kind); row >= 0 && n < maxRealms; row = m.Next(row) {
		var ch challenge
		if !ch.read(m.Bytes(m.Headers[row].Value)) {
			continue
		}
		if containsText(answered[:n], ch.realm) {
			continue
		}
		d, ok := u.credentialsFor(c, from, ch.realm)
		if !ok {
			continue
		}
		d.hashed, d.cnonce = hashed, rand.Uint64()
		d.method, d.uri = c.Msg.MethodBytes(), c.Request.RequestURI()
		if ch.qop == authInt {
			if d.body, ok = c.Request.Body(); !ok {
				continue
			}
		}
		line := d.appendAnswer(append(mark, name...), &ch)
		if line = append(line, "\r\n"...); len(line) > cap(mark) {
			return -1
		}
		if r := c.InsertRows(c.Msg.HeaderEnd, line); r <= 0 {
			return r
		}
		answered[n] = ch.realm
		n++
	}
	if n == 0 {
		return -1
	}
	c.Request.Again()
	return 1
}

// credentialsFor are those of a realm: the file's, else those of the variables.
func (u *auth) credentialsFor(c *route.Ctx, from variables, realm []byte) (d digest, ok bool) {
	for i := range u.credentials {
		if x := &u.credentials[i]; bytes.Equal(x.realm, realm) {
			return digest{user: x.user, password: x.password, realm: realm}, true
		}
	}
	if from.user == nil {
		return d, false
	}
	if from.realm != nil {
		if v := from.realm.Value(c); v.IsText() && len(v.S) > 0 && !bytes.Equal(v.S, realm) {
			return d, false
		}
	}
	user, password := from.user.Value(c), from.password.Value(c)
	if user.IsNull() || password.IsNull() {
		return d, false
	}
	d = digest{user: c.TextOf(user), password: c.TextOf(password), realm: realm}
	return d, !bytes.ContainsAny(d.user, "\"\\\r\n") // it stands in quotes
}

func containsText(list [][]byte, b []byte) bool {
	for _, x := range list {
		if bytes.Equal(x, b) {
			return true
		}
	}
	return false
}
