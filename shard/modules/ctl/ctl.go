// Package ctl opens sockets for commands: Kamailio's module ctl. The server answers there as at its
// status socket.
package ctl

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"viaduct/shard/route"
)

// usual is where kamcmd(8) asks without -s.
const usual = "/run/kamailio/kamailio_ctl"

const defaultMode = 0o600

// Define is the module.
func Define(m *route.Module) {
	s := &m.Settings().Control
	s.Mode = defaultMode
	m.Each("binrpc", func(text string) error {
		socket, err := read(text)
		if err != nil {
			return err
		}
		s.Sockets = append(s.Sockets, socket)
		return nil
	}, "Where commands are received: unix:PATH, unixd:PATH for datagrams, tcp:HOST:PORT, "+
		"udp:HOST:PORT. Without it "+usual+" is tried, where kamcmd asks.")
	m.IntVar(&s.Mode, "mode", 0, 0o777,
		"The permissions of the Unix sockets, as in chmod(1); 384 is 0600.")
	m.WordVar(&s.User, "user", "The user who owns the Unix sockets: a name or a number.")
	m.WordVar(&s.Group, "group", "The group that owns the Unix sockets: a name or a number.")

	m.IdleInt("an answer has the room that it needs", "binrpc_buffer_size", "binrpc_max_body_size",
		"binrpc_struct_max_body_size")
	m.IdleInt("arguments are texts and numbers alike", "autoconversion")
	m.IdleText("the protocol of SER's FIFO is not spoken; -i FIFO takes commands", "fifo")
	m.Ready(func() error {
		s.Usual = route.ControlSocket{Network: "unix", Address: usual}
		return nil
	})
}

// networks are the words in front of an address.
var networks = map[string]string{"unix": "unix", "unixs": "unix", "unixd": "unixgram",
	"tcp": "tcp", "udp": "udp"}

// read reads [PROTOCOL:]ADDRESS. What has no protocol is a Unix socket if it looks like a path, and
// else UDP, as in Kamailio.
func read(text string) (s route.ControlSocket, err error) {
	word, address, found := strings.Cut(text, ":")
	s.Network = networks[word]
	switch {
	case found && s.Network != "":
	case strings.Contains(text, "/"):
		s.Network, address = "unix", text
	default:
		s.Network, address = "udp", text
	}
	if s.Network == "unix" || s.Network == "unixgram" {
		if !filepath.IsAbs(address) {
			return s, fmt.Errorf("is %s, whose path does not begin with /", route.Quote(text))
		}
		s.Address = filepath.Clean(address)
		return s, nil
	}
	host, port := "", address
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		host, port = strings.Trim(address[:i], "[]"), address[i+1:]
	}
	colons := strings.Contains(host, ":") && net.ParseIP(host) == nil // another protocol's word
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || colons {
		return s, fmt.Errorf("is %s; write unix:PATH, unixd:PATH, tcp:HOST:PORT or udp:HOST:PORT",
			route.Quote(text))
	}
	if host == "" || host == "*" {
		host = "0.0.0.0"
	}
	s.Address = net.JoinHostPort(host, port)
	return s, nil
}
