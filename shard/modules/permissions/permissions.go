// Package permissions tells which addresses may do what: Kamailio's module permissions, its
// addresses and trusted peers, which come from a file or from tables in the format of db_text, and
// its files of rules about pairs of URIs.
package permissions

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/parser"
	"viaduct/shard/route"
)

// permissions is the module of one load.
type permissions struct {
	file  *string
	tag   *string // the variable that takes a tag
	delta *time.Duration

	url      *string
	backends *int
	columns  map[string]*string // of the tables, and their names
	tagMode  *int

	files ruleFiles

	list    atomic.Pointer[list]
	trusted atomic.Pointer[trusted]

	// noTrusted says why there are no peers, for who asks for them, and lost that there should be.
	noTrusted error
	lost      bool

	mu          sync.Mutex
	next        time.Time // the list is not reloaded before
	nextTrusted time.Time // nor the peers
}

// Define is the module.
func Define(m *route.Module) { define(m) }

func define(m *route.Module) *permissions {
	p := &permissions{}
	p.list.Store(&list{})
	p.trusted.Store(&trusted{})
	p.file = m.Text("address_file", "",
		"The file of addresses, a line \"GROUP ADDRESS [MASK [PORT [TAG]]]\" each: MASK is the "+
			"number of bits that count, PORT 0 means any, and ADDRESS may be a name. A relative "+
			"path starts at the working directory.")
	p.tag = m.Text("peer_tag_avp", "",
		"The variable for the tag of the entry that was found.")
	p.delta = m.Duration("reload_delta", time.Second, 5, 0, route.MaxSeconds,
		"The minimum number of seconds between two reloads of the file.")
	p.url = m.Text("db_url", "", "Where the tables are: \"text:///FOLDER\".")
	m.Note("db_url", func(s string, _ int64) string {
		if s == "" || isText(s) {
			return ""
		}
		return "there are no databases yet, so the tables are not read and all addresses and peers " +
			"are unknown: write the tables into files of the format of db_text, and " +
			"\"text:///FOLDER\" here"
	})
	p.backends = m.Int("load_backends", 0xffff, 0, 1<<31-1,
		"What is read, as a sum: 1 the table of addresses, 2 that of trusted peers, 4 the file of "+
			"rules that allow, 8 that of rules that deny.")
	p.columns = map[string]*string{}
	for _, c := range columns {
		p.columns[c.param] = m.Text(c.param, c.name, c.doc)
	}
	p.tagMode = m.Int("peer_tag_mode", 0, 0, 1,
		"1: allow_trusted collects the tags of all peers that match, and returns how many matched.")
	m.IdleInt("tables are in memory, and what a reload replaces is given back at once", "db_mode",
		"trusted_cleanup_interval")
	m.IdleInt("there may be as many networks as you like", "max_subnets")
	p.files.backends = p.backends
	p.files.define(m)
	m.Ready(func() error { return errors.Join(p.load(), p.readyTrusted()) })
	p.functions(m)
	p.trustedFunctions(m)
	p.commands(m)
	return p
}

// Bits of load_backends.
const (
	loadAddresses = 1
	loadTrusted   = 2
)

// isText tells whether a db_url is a folder of tables.
func isText(url string) bool { return strings.HasPrefix(url, "text://") }

// load reads the addresses, if there are some.
func (p *permissions) load() (err error) {
	var l *list
	switch {
	case *p.file != "":
		l, err = readFile(*p.file)
	case isText(*p.url) && *p.backends&loadAddresses != 0:
		l, err = p.readTable()
	default:
		return nil
	}
	if err == nil {
		p.list.Store(l)
	}
	return err
}

// find is what looks for an entry in one call; a result that is not above 0 is that of the
// function.
type find func(c *route.Ctx, l *list) (*entry, route.Result)

func (p *permissions) functions(m *route.Module) {
	group := route.Int("group", 0, 1<<31-1, "the number of a group of the file", route.AsIs)
	source := route.Optional(group, 1)
	address := route.Text("address", "an address, or a name as the file has it")
	port := route.Int("port", -1<<31, 1<<31-1, "a port", route.AsIs)

	bySource := func(b *route.Build) (find, bool) {
		group, ok := source.At(b, 0)
		return func(c *route.Ctx, l *list) (*entry, route.Result) {
			g, r := group.Get(c)
			from := c.From()
			return l.address(from.Addr().WithZone(""), int(from.Port()), g), r
		}, ok
	}
	bySourceInAny := func(*route.Build) (find, bool) {
		return func(c *route.Ctx, l *list) (*entry, route.Result) {
			from := c.From()
			return l.address(from.Addr().WithZone(""), int(from.Port()), anyGroup), 1
		}, true
	}
	byText := func(b *route.Build, i int, group route.Input[int]) (find, bool) {
		address, ok1 := address.At(b, i)
		port, ok2 := port.At(b, i+1)
		return func(c *route.Ctx, l *list) (*entry, route.Result) {
			g, r1 := group.Get(c)
			text, r2 := address.Get(c)
			port, r3 := port.Get(c)
			if r := min(r1, r2, r3); r <= 0 {
				return nil, r
			}
			if ip, ok := parser.HostIP(text); ok {
				return l.address(ip.Unmap(), port, g), 1
			}
			return l.domain(text, port, g), 1
		}, ok1 && ok2
	}
	p.declare(m, "allow_source_address", []route.AnyArg{source},
		"Tells whether the source of the message belongs to a group.", bySource)
	p.declare(m, "allow_source_address_group", nil,
		"Returns the number of the group that the source of the message belongs to. False: it "+
			"belongs to none.",
		bySourceInAny)
	p.declare(m, "allow_address", []route.AnyArg{group, address, port},
		"Tells whether an address belongs to a group.", func(b *route.Build) (find, bool) {
			g, ok1 := group.At(b, 0)
			f, ok2 := byText(b, 1, g)
			return f, ok1 && ok2
		})
	p.declare(m, "allow_address_group", []route.AnyArg{address, port},
		"Returns the number of the group that an address belongs to. False: it belongs to none.",
		func(b *route.Build) (find, bool) { return byText(b, 0, route.KnownInput(anyGroup)) })
}

// declare declares a function that looks for an entry. One whose name ends in _group is the group's
// number.
func (p *permissions) declare(m *route.Module, name string, args []route.AnyArg, doc string,
	build func(b *route.Build) (find, bool)) {
	isGroup := strings.HasSuffix(name, "_group")
	m.Func(route.Func{Name: name, In: route.Anywhere, Args: args, Doc: doc,
		Build: func(b *route.Build) route.Call {
			find, ok := build(b)
			tag, tagged := p.tagPlace(b)
			if !ok || !tagged {
				return nil
			}
			return func(c *route.Ctx) route.Result {
				e, r := find(c, p.list.Load())
				switch {
				case r <= 0:
					return r
				case e == nil:
					return -1
				}
				if tag != nil && len(e.tag) > 0 {
					if r := tag.Put(c, route.TextValue(e.tag)); r <= 0 {
						return r
					}
				}
				if isGroup {
					return e.group
				}
				return 1
			}
		}})
}

// tagPlace is the variable that takes a tag, nil if there is none. It returns false after an error.
func (p *permissions) tagPlace(b *route.Build) (*route.Place, bool) {
	if *p.tag == "" {
		return nil, true
	}
	tag := b.Variable(*p.tag, "peer_tag_avp")
	return tag, tag != nil
}
