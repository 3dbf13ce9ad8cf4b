package tlsdomains

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"viaduct/netio"
)

// Options say where the domains come from.
type Options struct {
	// File is the tls.cfg; relative names in it count from its folder. "" takes Default alone.
	File string
	// Default are the parameters of the tls module, and those of the core's globals, as
	// [server:default] and [client:default]. With a File they do not count, as with Kamailio.
	Default Settings
	// Dir is the folder from which relative names of Default count: that of the main configuration
	// file.
	Dir string
	// Listeners are the addresses of all TLS and WSS listeners. Each needs a domain with a
	// certificate for clients that name no server, and a domain for a local address that is none of
	// these is a mistake. If Listeners is empty neither is checked.
	Listeners []netip.AddrPort
	// NoSessions issues and accepts no session tickets: every handshake is a full one
	// (session_cache=no).
	NoSessions bool
}

// Store has the domains of a process. All methods may be called from any goroutine; only Reload
// takes long.
type Store struct {
	opts Options
	now  atomic.Pointer[snapshot]

	reload sync.Mutex // one reading at a time

	// fronts are the configurations given to listeners, by local address. They hold the keys of the
	// session tickets, which crypto/tls makes and changes daily, and nothing of a snapshot.
	frontsMu sync.Mutex
	fronts   map[netio.Addr]*tls.Config
}

// snapshot is the result of one reading. It is immutable.
type snapshot struct {
	servers, clients             []*domain // those for addresses and any, in the file's order
	defaultServer, defaultClient *domain   // defaultServer may be nil
	warnings                     Problems
}

// Open reads the domains. Its error lists everything that is wrong, one line each.
func Open(opts Options) (*Store, error) {
	s := &Store{opts: opts, fronts: map[netio.Addr]*tls.Config{}}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads everything again, files of certificates included, and swaps it in, or changes
// nothing and returns everything that is wrong. Existing connections stay as they are. A session
// ticket from before the reload is accepted: its client's certificate is checked again with the
// current CAs and revocation lists, and the ticket keys stay.
func (s *Store) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	snap, err := s.opts.read(time.Now())
	if err != nil {
		return err
	}
	s.now.Store(snap)
	return nil
}

// Take replaces what the store has by what another store has read, as Reload does with what it
// reads itself.
func (s *Store) Take(read *Store) {
	s.reload.Lock()
	defer s.reload.Unlock()
	s.opts = read.opts
	s.now.Store(read.now.Load())
}

// Warnings returns what the last successful reading found suspicious.
func (s *Store) Warnings() Problems { return s.now.Load().warnings }

// read makes a snapshot of what the files say now.
func (o *Options) read(now time.Time) (*snapshot, error) {
	r := &report{}
	var sections []*section
	dir := o.Dir
	if o.File != "" {
		dir = filepath.Dir(o.File)
		data, err := readBounded(o.File, configBytes)
		if err != nil {
			return nil, Problems{{File: o.File, Text: err.Error()}}
		}
		if o.Default != (Settings{}) {
			r.warn(place{file: o.File},
				"the tls module's own parameters about domains do not count beside its config")
		}
		sections = parse(o.File, string(data), r)
	} else {
		sections = o.fromSettings()
	}
	snap := &snapshot{}
	f := newFiles(dir)
	for _, sec := range sections {
		d := load(sec, f, r, now)
		d.config.SessionTicketsDisabled = o.NoSessions
		snap.add(d, r)
	}
	if snap.defaultClient == nil {
		// Kamailio would verify nothing then. Nobody has asked for that, so the safe choice is
		// taken.
		snap.defaultClient = load(&section{role: client, at: place{file: o.File},
			Settings: Settings{VerifyCertificate: true}}, f, r, now)
	}
	o.checkListeners(snap, r)
	if err := r.err(); err != nil {
		return nil, err
	}
	snap.warnings = r.warnings
	return snap, nil
}

// fromSettings makes the two default domains of the module's parameters. Without a certificate
// there is no server domain.
func (o *Options) fromSettings() (sections []*section) {
	if o.Default.Certificate != "" || len(o.Listeners) > 0 {
		s := &section{role: server, Settings: o.Default}
		sections = append(sections, s)
	}
	if o.Default != (Settings{}) {
		c := &section{role: client, Settings: o.Default}
		c.VerifyClient = "" // it is the server's setting
		sections = append(sections, c)
	}
	return sections
}

// add puts a domain in its place and refuses a second one for the same connections.
func (snap *snapshot) add(d *domain, r *report) {
	list, fallback := &snap.servers, &snap.defaultServer
	if d.role == client {
		list, fallback = &snap.clients, &snap.defaultClient
	}
	if d.kind == forDefault {
		if *fallback != nil {
			r.problem(d.at, "%s is there already, in line %d", d.title(), (*fallback).at.line)
			return
		}
		*fallback = d
		return
	}
	for _, other := range *list {
		if other.kind == d.kind && other.addr == d.addr &&
			canonical(other.ServerName) == canonical(d.ServerName) &&
			other.ServerNameMode == d.ServerNameMode && other.ServerID == d.ServerID {
			r.problem(d.at, "%s is there already, in line %d, with the same server_name; give it "+
				"another, or join them", d.title(), other.at.line)
			return
		}
	}
	*list = append(*list, d)
}

// checkListeners compares the servers' domains with the listeners.
func (o *Options) checkListeners(snap *snapshot, r *report) {
	if len(o.Listeners) == 0 {
		return
	}
	known := map[netip.AddrPort]bool{}
	for _, l := range o.Listeners {
		l = netip.AddrPortFrom(l.Addr().Unmap().WithZone(""), l.Port())
		known[l] = true
		if snap.server(l, "") == nil {
			r.problem(place{file: o.File},
				"no certificate for the TLS listener %s; write [server:default] with certificate "+
					"= cert.pem and private_key = key.pem", l)
		}
	}
	for _, d := range snap.servers {
		if d.kind == forAddr && !known[d.addr] {
			r.problem(d.at, "%s: there is no TLS listener on that address", d.title())
		}
	}
}

// server chooses the domain for a connection to local whose client named sni, "" if it named none.
// It returns nil if there is none. First it looks by name: among the address's domains, then among
// those for any address. Then comes the address's domain without a name. After that a client that
// named no server gets the address's first domain, and one that named another server the default
// (as Kamailio 5.6 does, tried).
func (snap *snapshot) server(local netip.AddrPort, sni string) *domain {
	f := find(snap.servers, local, canonical(sni))
	if sni == "" {
		return firstOf(f.named, f.anyNamed, f.unnamed, f.first, snap.defaultServer)
	}
	return firstOf(f.named, f.anyNamed, f.unnamed, snap.defaultServer, f.first)
}

// client chooses the domain for a connection to dst that is to reach name. A domain for an address
// is used for whatever is reached there.
func (snap *snapshot) client(dst netip.AddrPort, name string) *domain {
	f := find(snap.clients, dst, canonical(name))
	return firstOf(f.named, f.anyNamed, f.unnamed, f.first, snap.defaultClient)
}

// found has the first domain of each kind for one address and name.
type found struct {
	named    *domain // of the address, whose server_name fits
	anyNamed *domain // of any address, whose server_name fits
	unnamed  *domain // of the address, without server_name
	first    *domain // of the address, whose server_name does not fit
}

func find(list []*domain, addr netip.AddrPort, name string) (f found) {
	keep := func(p **domain, d *domain) {
		if *p == nil {
			*p = d
		}
	}
	for _, d := range list {
		switch fits := d.named(name); {
		case d.kind == forAny && fits:
			keep(&f.anyNamed, d)
		case d.kind == forAny || d.addr != addr:
		case fits:
			keep(&f.named, d)
		case d.ServerName == "":
			keep(&f.unnamed, d)
		default:
			keep(&f.first, d)
		}
	}
	return f
}

func firstOf(ds ...*domain) *domain {
	for _, d := range ds {
		if d != nil {
			return d
		}
	}
	return nil
}

func addrPort(a netio.Addr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().WithZone(""), ap.Port()) // a tls.cfg has no zones
}

var errNoDomain = errors.New("no TLS domain for this address")

// Server returns the configuration for connections accepted on local, or nil if no domain is for
// it. It stays valid over every Reload. The listener's number is not used.
func (s *Store) Server(_ int, local netio.Addr) *tls.Config {
	addr := addrPort(local)
	if snap := s.now.Load(); snap.server(addr, "") == nil && len(snap.servers) == 0 {
		return nil
	}
	s.frontsMu.Lock()
	defer s.frontsMu.Unlock()
	if cfg := s.fronts[local]; cfg != nil {
		return cfg
	}
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			d := s.now.Load().server(addr, hello.ServerName)
			if d == nil {
				return nil, errNoDomain
			}
			return d.config, nil
		},
	}
	if len(s.fronts) < maxFronts {
		s.fronts[local] = cfg
	}
	return cfg
}

// Client returns the configuration for one connection to dst whose certificate must be that of
// domain, the host part of the URI that is being followed. If domain is "" the certificate must
// only come from a CA that is trusted, unless the server_name of the TLS domain says who is
// expected. The listener's number is not used.
func (s *Store) Client(_ int, domain string, dst netio.Addr) *tls.Config {
	return s.now.Load().client(addrPort(dst), domain).dial(domain)
}

// ClientByID is Client for the domain with that server_id. It returns nil if there is none.
func (s *Store) ClientByID(id, name string) *tls.Config {
	snap := s.now.Load()
	for _, d := range append([]*domain{snap.defaultClient}, snap.clients...) {
		if id != "" && d.ServerID == id {
			return d.dial(name)
		}
	}
	return nil
}

// VerifyClient returns nil if the client's certificate of a connection accepted on local is trusted
// by the current domains, else why not. It matters where verify_client is optional_no_ca, which
// lets everybody in. (The VerifiedChains of a tls.ConnectionState stay empty: the domains verify by
// their own rules.)
func (s *Store) VerifyClient(local netio.Addr, cs *tls.ConnectionState) error {
	d := s.now.Load().server(addrPort(local), cs.ServerName)
	if d == nil {
		return errNoDomain
	}
	if err := d.verify(cs.PeerCertificates, time.Now()); err != nil {
		return fmt.Errorf("the client's certificate: %w", err)
	}
	return nil
}

// VerifyServer is VerifyClient for the server's certificate of a connection that we opened to dst
// for the domain name. It matters where verify_certificate is off.
func (s *Store) VerifyServer(name string, dst netio.Addr, cs *tls.ConnectionState) error {
	d := s.now.Load().client(addrPort(dst), name)
	if err := d.verifyServer(*cs, d.expect(name)); err != nil {
		return fmt.Errorf("the server's certificate: %w", err)
	}
	return nil
}
