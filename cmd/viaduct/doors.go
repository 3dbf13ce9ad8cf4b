package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"viaduct/control"
	"viaduct/control/page"
	"viaduct/shard/route"
)

// openStatus makes the FIFO and the socket that were asked for.
func (p *process) openStatus(identity *control.Identity) error {
	c := p.config
	p.status = control.NewStatusService(control.Commands{"status": p.statusReport,
		"stats": p.statsReport}, p.log)
	rpc := p.rpc()
	p.status.RegisterDoors(rpc)
	p.status.Serve(rpc)
	p.commands.Store(rpc)
	if c.Socket != "" {
		if err := p.status.ListenUnix(c.Socket, identity); err != nil {
			return err
		}
	}
	if c.FIFO != "" {
		if err := p.status.ListenFIFO(c.FIFO, identity); err != nil {
			return err
		}
	}
	if err := p.openDoors(identity); err != nil {
		return err
	}
	if err := p.openDocumentDoors(identity); err != nil {
		return err
	}
	return p.openHTTP()
}

// openHTTP serves metrics and commands where http_listen says.
func (p *process) openHTTP() (err error) {
	at := p.config.Settings.Control.HTTP
	if at == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", p.serveMetrics)
	mux.Handle("GET /", page.Handler())
	mux.Handle("POST /rpc", control.NewHTTPCalls(p.commands.Load(), p.tokens, p.log))
	if p.http, err = control.ListenHTTP(at, control.Local(mux), p.log); err == nil {
		p.log.Info("metrics, commands and a page are served", "url", "http://"+at)
	}
	return err
}

// openDocumentDoors opens the FIFO and the socket of module jsonrpcs.
func (p *process) openDocumentDoors(identity *control.Identity) error {
	s := &p.config.Settings.Control.Documents
	if s.Answer == nil {
		return nil
	}
	p.answersDocuments(s.Answer)
	answer := func(doc []byte) ([]byte, string, string) {
		if f := *p.documents.Load(); f != nil {
			return f(doc)
		}
		return nil, "", "the file no longer loads module jsonrpcs"
	}
	open := func(what string, at *route.DocumentDoor, open func(control.Door) error) error {
		if at.Network == "" {
			return nil
		}
		owner, err := identity, error(nil)
		if at.User != "" || at.Group != "" {
			if owner, err = control.LookupIdentity(at.User, at.Group); err != nil {
				return fmt.Errorf("user and group of the %s of module jsonrpcs: %w", what, err)
			}
		}
		d := control.Door{Network: at.Network, Address: at.Address, Mode: fs.FileMode(at.Mode),
			Owner: owner}
		err = open(d)
		switch {
		case err == nil && at.Network == "udp" && !d.Local():
			p.log.Warn("whoever reaches this address may call all commands: see dgram_socket of "+
				"module jsonrpcs", "address", at.Address)
		case err != nil && !at.Usual:
			return fmt.Errorf("the %s of module jsonrpcs: %w", what, err)
		case errors.Is(err, fs.ErrNotExist):
			p.log.Info("there is no "+what+" of module jsonrpcs where clients look by themselves",
				"error", err)
		case err != nil:
			p.log.Warn("there is no "+what+" of module jsonrpcs where clients look by themselves: "+
				"name one by fifo_name or dgram_socket, or leave it out by transport", "error", err)
		}
		return nil
	}
	if err := open("FIFO", &s.FIFO, func(d control.Door) error {
		return p.status.OpenDocumentFIFO(d, s.ReplyDir, s.Timeout, answer)
	}); err != nil {
		return err
	}
	return open("datagram socket", &s.Datagram, func(d control.Door) error {
		return p.status.OpenDocumentSocket(d, s.Workers, s.Timeout, answer)
	})
}

// answersDocuments has f answer documents of JSON-RPC from now on.
func (p *process) answersDocuments(f control.Documents) { p.documents.Store(&f) }

// openDoors opens the sockets of module ctl.
func (p *process) openDoors(owner *control.Identity) (err error) {
	s := &p.config.Settings.Control
	if s.User != "" || s.Group != "" {
		if owner, err = control.LookupIdentity(s.User, s.Group); err != nil {
			return fmt.Errorf("user and group of module ctl: %w", err)
		}
	}
	door := func(at route.ControlSocket) control.Door {
		return control.Door{Network: at.Network, Address: at.Address, Mode: fs.FileMode(s.Mode),
			Owner: owner}
	}
	for _, at := range s.Sockets {
		d := door(at)
		if err := p.status.Open(d); err != nil {
			return err
		}
		if !d.Local() {
			p.log.Warn("whoever reaches this address may call all commands: see binrpc of module "+
				"ctl", "protocol", at.Network, "address", at.Address)
		}
	}
	if len(s.Sockets) == 0 && s.Usual != (route.ControlSocket{}) {
		if err := p.status.Open(door(s.Usual)); err != nil {
			p.log.Warn("kamcmd needs -s: there is no socket where it asks by itself; give the "+
				"address of one with binrpc of module ctl", "error", err)
		}
	}
	return nil
}
