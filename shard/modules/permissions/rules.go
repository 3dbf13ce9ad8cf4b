package permissions

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"viaduct/file"
	"viaduct/parser"
	"viaduct/shard/route"
	"viaduct/shard/route/command"
)

// rules are those of one file, a line each:
//
//	LIST [EXCEPT LIST] : LIST [EXCEPT LIST]
//
// A list is ALL, or patterns in double quotes with commas between them. A pair of URIs fits a rule
// if the first is in the lists on the left, the second in those on the right. Patterns are POSIX
// extended and blind to case.
type rules struct{ list []rule }

type rule struct{ from, to lists }

// lists are a list, and what is taken out of it.
type lists struct{ in, except patterns }

// patterns are a list.
type patterns struct {
	all  bool
	list []*regexp.Regexp
}

func (p *patterns) has(uri []byte) bool {
	for _, re := range p.list {
		if re.Match(uri) {
			return true
		}
	}
	return p.all
}

func (l *lists) has(uri []byte) bool { return l.in.has(uri) && !l.except.has(uri) }

// fits tells whether a rule fits a pair.
func (r *rules) fits(from, to []byte) bool {
	for i := range r.list {
		if x := &r.list[i]; x.from.has(from) && x.to.has(to) {
			return true
		}
	}
	return false
}

// readRules reads a file.
func readRules(path string) (*rules, error) {
	text, err := file.Read(path, fileBytes)
	if err != nil {
		return nil, err
	}
	r := &rules{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		one, err := parseRule(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
		r.list = append(r.list, one)
	}
	return r, nil
}

func parseRule(line string) (r rule, err error) {
	p := ruleParser{rest: line}
	r.from = p.lists()
	if p.err == nil && !p.take(":") {
		p.fail()
	}
	r.to = p.lists()
	if p.space(); p.err == nil && p.rest != "" && p.rest[0] != '#' {
		p.fail()
	}
	return r, p.err
}

// ruleParser reads a line.
type ruleParser struct {
	rest string
	err  error
}

func (p *ruleParser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r") }

func (p *ruleParser) fail() {
	if p.err == nil {
		p.err = fmt.Errorf("no rule at %s; one is written \"PATTERN\", ... [EXCEPT \"PATTERN\", ...] : "+
			"\"PATTERN\", ... [EXCEPT ...], with ALL for a list that has all", route.Quote(p.rest))
	}
}

func (p *ruleParser) take(word string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, word)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *ruleParser) lists() (l lists) {
	if l.in = p.patterns(); p.err == nil && p.take("EXCEPT") {
		l.except = p.patterns()
	}
	return l
}

func (p *ruleParser) patterns() (l patterns) {
	if p.take("ALL") {
		l.all = true
		return l
	}
	for p.err == nil {
		if !p.take(`"`) {
			p.fail()
			return l
		}
		end := 0
		for end < len(p.rest) && p.rest[end] != '"' {
			if p.rest[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(p.rest) {
			p.fail()
			return l
		}
		text := strings.ReplaceAll(p.rest[:end], `\"`, `"`)
		re, err := route.CompilePattern(text, 0)
		if err != nil {
			p.err = fmt.Errorf("%s is no pattern: %w", route.Quote(text), err)
			return l
		}
		l.list, p.rest = append(l.list, re), p.rest[end+1:]
		if !p.take(",") {
			return l
		}
	}
	return l
}

// pair are the files that allow and that deny.
type pair struct{ allow, deny *rules }

// allows tells whether all URIs may go with from: if the first file has every pair they may, else
// if the second has one they may not, and else they may.
func (p *pair) allows(from []byte, to [][]byte) bool {
	all := true
	for _, uri := range to {
		all = all && p.allow.fits(from, uri)
	}
	if all {
		return true
	}
	for _, uri := range to {
		if p.deny.fits(from, uri) {
			return false
		}
	}
	return true
}

// plain is what rules see of a Request-URI, a branch or a Contact: sip:user@host, without password,
// port and parameters, whatever its scheme (5.6.3). at says that the @ is there without a user too.
// It is nil for what is no URI.
func plain(c *route.Ctx, text []byte, at bool) []byte {
	var u parser.URI
	if parser.ParseURI(text, &u) != parser.OK {
		return nil
	}
	b := append(append(c.Room(), "sip:"...), u.UserBytes()...)
	if at || u.User.Len > 0 {
		b = append(b, '@')
	}
	return c.Built(append(b, u.HostBytes()...)).S
}

// maxContacts is how many URIs of one message are looked at. A message with more is not allowed.
const maxContacts = 64

// ruleFiles has what is about files of rules.
type ruleFiles struct {
	allow, deny             *string // the files of calls without arguments
	allowSuffix, denySuffix *string
	branches                *bool
	backends                *int
	read                    map[string]*rules // by path
	uris                    *route.PerShard[[maxContacts][]byte]
}

// Bits of load_backends.
const (
	loadAllow = 4
	loadDeny  = 8
)

// define declares allow_routing, allow_register and allow_uri, and what they take.
func (f *ruleFiles) define(m *route.Module) {
	f.read = map[string]*rules{}
	f.uris = route.NewPerShard[[maxContacts][]byte](m, nil)
	const relative = " A relative path starts at the folder of the file that calls it."
	f.allow = m.Text("default_allow_file", "permissions.allow",
		"The rules that allow, for calls that name none."+relative)
	f.deny = m.Text("default_deny_file", "permissions.deny",
		"The rules that deny, for calls that name none."+relative)
	f.allowSuffix = m.Text("allow_suffix", ".allow",
		"The suffix of the file with the rules that allow, for calls that give one name.")
	f.denySuffix = m.Text("deny_suffix", ".deny",
		"The suffix of the file with the rules that deny, for calls that give one name.")
	f.branches = m.Bool("check_all_branches", true,
		"Whether allow_routing also checks the branches that append_branch has added.")

	const wants = "the name of a file"
	name := route.Optional(route.Name("allow_file", wants, "the rules that allow; a single "+
		"argument is the name without suffix"), "")
	deny := route.Optional(route.Name("deny_file", wants, "the rules that deny"), "")
	both := []route.AnyArg{name, deny}
	m.Func(route.Func{Name: "allow_routing", In: route.Anywhere, Args: both,
		Doc: "Tells whether the rules allow From with the Request-URI and with all branches that " +
			"were added. The rules see a branch as sip:user@host. False for a response.",
		Build: func(b *route.Build) route.Call {
			p, ok := f.pair(b, name, deny, true)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				if c.Request == nil {
					return -1
				}
				from, ok1 := c.FromURI()
				text, ok2 := c.RURI()
				uri := plain(c, text, true)
				if !ok1 || !ok2 || uri == nil {
					return -1
				}
				to := append(f.uris.Of(c)[:0], uri)
				for i := 0; *f.branches; i++ {
					t, more := c.Request.Added(i)
					if !more {
						break
					}
					uri := plain(c, t.URI, false)
					if uri == nil || len(to) == maxContacts {
						return -1
					}
					to = append(to, uri)
				}
				return route.Truth(p.allows(from, to))
			}
		}})
	m.Func(route.Func{Name: "allow_register", In: route.InRequest | route.InFailure, Args: both,
		Doc: "Tells whether the rules allow To with all Contacts. The rules see each as " +
			"sip:user@host.",
		Build: func(b *route.Build) route.Call {
			p, ok := f.pair(b, name, deny, false)
			if !ok {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				whose, ok := c.ToURI()
				if !ok {
					return -1
				}
				to := f.uris.Of(c)[:0]
				contacts := c.Msg.Values(parser.KindContact)
				for contacts.Next() {
					if string(c.Msg.Bytes(contacts.Value)) == "*" {
						return 1
					}
					var a parser.NameAddr
					if len(to) == maxContacts ||
						parser.ParseNameAddr(c.Msg.Raw, contacts.Value, &a) != parser.OK {
						return -1
					}
					uri := plain(c, a.URI.Of(c.Msg.Raw), false)
					if uri == nil {
						return -1
					}
					to = append(to, uri)
				}
				return route.Truth(p.allows(whose, to))
			}
		}})
	base := route.Name("basename", wants, "the name of the files without their suffixes")
	uri := route.Any("uri", "a variable with a URI")
	m.Func(route.Func{Name: "allow_uri", In: route.InRequest | route.InFailure,
		Args: []route.AnyArg{base, uri},
		Doc:  "Tells whether the rules allow From with a URI.",
		Build: func(b *route.Build) route.Call {
			p, ok1 := f.pair(b, base, base, false)
			uri, ok2 := uri.At(b, 1)
			if !ok1 || !ok2 {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				from, ok := c.FromURI()
				v, r := uri.Get(c)
				if r <= 0 || !ok || !v.IsText() || len(v.S) == 0 {
					return -1
				}
				return route.Truth(p.allows(from, append(f.uris.Of(c)[:0], v.S)))
			}
		}})
	m.View("permissions.testUri", "Tells whether the rules of the named files allow a pair of "+
		"URIs.", command.Words("basename", "uri", "contact"), f.test)
	m.View("permissions.allowUri", "Does what permissions.testUri does.",
		command.Words("basename", "uri", "contact"), f.test)
}

// test is permissions.testUri.
func (f *ruleFiles) test(a command.Args) (any, error) {
	var p pair
	for path, r := range f.read {
		switch filepath.Base(path) {
		case filepath.Base(a.Text(0) + *f.allowSuffix):
			p.allow = r
		case filepath.Base(a.Text(0) + *f.denySuffix):
			p.deny = r
		}
	}
	switch {
	case p.allow == nil && p.deny == nil:
		return nil, command.Faultf(404, "no call names files %s", route.Quote(a.Text(0)))
	case p.allow == nil:
		p.allow = &rules{}
	case p.deny == nil:
		p.deny = &rules{}
	}
	if p.allows([]byte(a.Text(1)), [][]byte{[]byte(a.Text(2))}) {
		return "Allowed", nil
	}
	return "Denied", nil
}

// pair reads the files that a call names. It returns false after an error.
func (f *ruleFiles) pair(b *route.Build, allow, deny route.Arg[string],
	byDefault bool) (*pair, bool) {
	var names [2]string
	switch one, ok := allow.At(b, 0); {
	case !ok:
		return nil, false
	case b.Args() == 0 && byDefault:
		names = [2]string{*f.allow, *f.deny}
		if *f.backends&loadAllow == 0 {
			names[0] = ""
		}
		if *f.backends&loadDeny == 0 {
			names[1] = ""
		}
	case b.Args() == 0:
		b.Errorf(route.WholeCall, "%s wants the name of its files", b.Name())
		return nil, false
	default:
		first, _ := one.Known()
		names = [2]string{first + *f.allowSuffix, first + *f.denySuffix}
		if b.Args() == 2 && b.Name() != "allow_uri" {
			other, ok := deny.At(b, 1)
			if !ok {
				return nil, false
			}
			second, _ := other.Known()
			names = [2]string{first, second}
		}
	}
	var of [2]*rules
	for i, name := range names {
		r, err := f.rules(b, name)
		if err != nil {
			b.Errorf(route.WholeCall, "%s: %s", b.Name(), err)
			return nil, false
		}
		of[i] = r
	}
	return &pair{of[0], of[1]}, true
}

// rules are those of a file, read once.
func (f *ruleFiles) rules(b *route.Build, name string) (*rules, error) {
	if name == "" {
		return &rules{}, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(b.Pos().File), name)
	}
	if r := f.read[name]; r != nil {
		return r, nil
	}
	r, err := readRules(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.Warnf(route.WholeCall, "%s: %s is not there: it counts as empty, as in Kamailio", b.Name(),
			name)
		r = &rules{}
	case err != nil:
		return nil, err
	}
	f.read[name] = r
	return r, nil
}
