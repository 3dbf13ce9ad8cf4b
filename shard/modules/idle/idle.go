// Package idle has the modules of Kamailio that a stock configuration loads and that have nothing
// to do here.
package idle

import "viaduct/shard/route"

// CfgRPC is module cfg_rpc.
func CfgRPC(m *route.Module) { m.Idle("viaductctl reads and sets the configuration") }

const noMI = "Kamailio 5.0 has dropped the MI commands; viaductctl has commands of its own"

// MIRPC is module mi_rpc.
func MIRPC(m *route.Module) { m.Idle(noMI) }

// MIFIFO is module mi_fifo.
func MIFIFO(m *route.Module) {
	m.Idle(noMI)
	m.IdleAny(noMI, "fifo_name", "fifo_mode", "fifo_group", "fifo_user", "reply_dir",
		"reply_indent")
}

// MIDatagram is module mi_datagram.
func MIDatagram(m *route.Module) {
	m.Idle(noMI)
	m.IdleAny(noMI, "socket_name", "children_count", "unix_socket_mode", "unix_socket_group",
		"unix_socket_user", "socket_timeout", "reply_indent")
}

// XMLRPC is module xmlrpc.
func XMLRPC(m *route.Module) {
	const why = "viaductctl takes the place of XML-RPC"
	m.Idle(why)
	m.IdleAny(why, "route", "autoconversion", "escape_cr", "double_lf_to_crlf", "mode", "url_skip",
		"url_match", "event_callback")
}

// SCTP is module sctp.
func SCTP(m *route.Module) { m.Idle("there is no SCTP; listen on UDP, TCP, TLS or WebSocket") }

// SNMPStats is module snmpstats.
func SNMPStats(m *route.Module) {
	const why = "there is no SNMP agent; viaductctl shows the statistics"
	m.Idle(why)
	m.IdleAny(why, "sipEntityType", "MsgQueueMinorThreshold", "MsgQueueMajorThreshold",
		"dlg_minor_threshold",
		"dlg_major_threshold", "snmpgetPath", "snmpCommunity", "snmpVersion", "export_registrar")
}

// LogSystemd is module log_systemd.
func LogSystemd(m *route.Module) {
	m.Idle("systemd's journal takes what goes to syslog and to standard error")
}

// DBFlatstore is module db_flatstore.
func DBFlatstore(m *route.Module) {
	const why = "no module writes to a database"
	m.Idle(why)
	m.IdleInt(why, "flush", "encode_delimiter")
}

// StatsC is module statsc.
func StatsC(m *route.Module) {
	const why = "no history of statistics is kept; viaductctl shows them as they are"
	m.Idle(why)
	m.IdleInt(why, "interval", "items")
	m.IdleText(why, "track")
}
