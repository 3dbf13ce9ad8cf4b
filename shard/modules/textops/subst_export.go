package textops

import "viaduct/shard/route"

// Subst is a substitution such as /pattern/replacement/flags, for modules that make one elsewhere
// than in a message.
type Subst struct{ x *substitution }

// SubstAt is argument i as a substitution; nil after an error.
func SubstAt(b *route.Build, i int) *Subst {
	x := substAt(b, i, b.Name())
	if x == nil {
		return nil
	}
	return &Subst{x}
}

// Made is the text b with the substitution made, in the scratch room. n is how many matches there
// were, below 0 if there was no room.
func (s *Subst) Made(c *route.Ctx, b []byte) (v route.Value, n int) { return s.x.made(c, b) }

// cutSubst takes a substitution apart that a script has made: what it looks for, what it puts
// there, its flags. It returns false if it is none.
func cutSubst(s string) (pattern, with, flags string, ok bool) {
	if s == "" || isWord(s[0]) {
		return "", "", "", false
	}
	pattern, rest, ok1 := cutAt(s[1:], s[0])
	with, flags, ok2 := cutAt(rest, s[0])
	return pattern, with, flags, ok1 && ok2
}

// SubstText makes the substitution that a text is, which holds no variables any more. n is below 0
// if it is none, or there was no room. Slow path: it takes the text apart each time, and allocates.
func SubstText(c *route.Ctx, subst, b []byte) (v route.Value, n int) {
	pattern, with, flags, ok := cutSubst(string(subst))
	if !ok {
		return route.Null, -1
	}
	how, all := route.Cased|route.Lines, false
	for _, f := range flags {
		switch f {
		case 'g', 'G':
			all = true
		case 'i', 'I':
			how &^= route.Cased
		case 's':
			how &^= route.Lines
		default:
			return route.Null, -1
		}
	}
	re := c.CachedPattern([]byte(pattern), how)
	if re == nil {
		return route.Null, -1
	}
	v, pos := route.TextValue(nil), 0
	for s := c.Scan(re, b); (n == 0 || all) && s.Next(); n++ {
		if s.At[0] == s.At[1] {
			break // as in Kamailio: nothing is matched
		}
		out := append(c.Room(), b[pos:s.At[0]]...)
		for i := 0; i < len(with); i++ {
			switch {
			case with[i] != '\\' || i+1 == len(with):
				out = append(out, with[i])
			case with[i+1] >= '0' && with[i+1] <= '9':
				if g := 2 * int(with[i+1]-'0'); s.At[g] >= 0 {
					out = append(out, b[s.At[g]:s.At[g+1]]...)
				}
				i++
			default:
				i++
				out = append(out, with[i])
			}
		}
		made := c.Built(out)
		if made.IsNull() {
			return made, -1
		}
		if v = c.Joined(v, made.S, nil); v.IsNull() {
			return v, -1
		}
		pos = int(s.At[1])
	}
	if n == 0 {
		return v, 0
	}
	return c.Joined(v, b[pos:], nil), n
}
