// Package modules lists the modules that a configuration file may load. Each has a folder, and all
// that belongs to it is there.
package modules

import (
	"viaduct/shard/modules/acc"
	"viaduct/shard/modules/async"
	"viaduct/shard/modules/avpops"
	"viaduct/shard/modules/blst"
	"viaduct/shard/modules/cfgutils"
	"viaduct/shard/modules/corex"
	"viaduct/shard/modules/counters"
	"viaduct/shard/modules/ctl"
	"viaduct/shard/modules/dbtext"
	"viaduct/shard/modules/debugger"
	"viaduct/shard/modules/dialplan"
	"viaduct/shard/modules/dispatcher"
	"viaduct/shard/modules/diversion"
	"viaduct/shard/modules/evrexec"
	"viaduct/shard/modules/htable"
	"viaduct/shard/modules/idle"
	"viaduct/shard/modules/ipops"
	"viaduct/shard/modules/jansson"
	"viaduct/shard/modules/jsonrpcs"
	"viaduct/shard/modules/kex"
	"viaduct/shard/modules/maxfwd"
	"viaduct/shard/modules/mqueue"
	"viaduct/shard/modules/mtree"
	"viaduct/shard/modules/nathelper"
	"viaduct/shard/modules/path"
	"viaduct/shard/modules/permissions"
	"viaduct/shard/modules/pike"
	"viaduct/shard/modules/pipelimit"
	"viaduct/shard/modules/pv"
	"viaduct/shard/modules/ratelimit"
	"viaduct/shard/modules/regex"
	"viaduct/shard/modules/rr"
	"viaduct/shard/modules/rtimer"
	"viaduct/shard/modules/sanity"
	"viaduct/shard/modules/sdpops"
	"viaduct/shard/modules/siptrace"
	"viaduct/shard/modules/siputils"
	"viaduct/shard/modules/sl"
	"viaduct/shard/modules/statistics"
	"viaduct/shard/modules/tcpops"
	"viaduct/shard/modules/textops"
	"viaduct/shard/modules/textopsx"
	"viaduct/shard/modules/tls"
	"viaduct/shard/modules/tm"
	"viaduct/shard/modules/tmx"
	"viaduct/shard/modules/uac"
	"viaduct/shard/modules/uuid"
	"viaduct/shard/modules/websocket"
	"viaduct/shard/modules/xhttp"
	"viaduct/shard/modules/xlog"
	"viaduct/shard/route"
)

//go:generate go run ./gen

// Pages are what docs/modules has a page of: the core and the modules.
var Pages = append([]route.Declared{route.Core()}, All...)

// All are the modules, by name.
var All = []route.Declared{
	{Name: "acc", Define: acc.Define},
	{Name: "async", Define: async.Define},
	{Name: "avpops", Define: avpops.Define},
	{Name: "blst", Define: blst.Define},
	{Name: "cfg_rpc", Define: idle.CfgRPC},
	{Name: "cfgutils", Define: cfgutils.Define},
	{Name: "corex", Define: corex.Define},
	{Name: "counters", Define: counters.Define},
	{Name: "ctl", Define: ctl.Define},
	{Name: "db_flatstore", Define: idle.DBFlatstore},
	{Name: "db_text", Define: dbtext.Define},
	{Name: "debugger", Define: debugger.Define},
	{Name: "diversion", Define: diversion.Define},
	{Name: "dialplan", Define: dialplan.Define},
	{Name: "dispatcher", Define: dispatcher.Define},
	{Name: "evrexec", Define: evrexec.Define},
	{Name: "htable", Define: htable.Define},
	{Name: "ipops", Define: ipops.Define},
	{Name: "jansson", Define: jansson.Define},
	{Name: "json", Define: jansson.DefineJSON},
	{Name: "jsonrpcs", Define: jsonrpcs.Define},
	{Name: "kex", Define: kex.Define},
	{Name: "log_systemd", Define: idle.LogSystemd},
	{Name: "maxfwd", Define: maxfwd.Define},
	{Name: "mi_datagram", Define: idle.MIDatagram},
	{Name: "mi_fifo", Define: idle.MIFIFO},
	{Name: "mi_rpc", Define: idle.MIRPC},
	{Name: "mqueue", Define: mqueue.Define},
	{Name: "mtree", Define: mtree.Define},
	{Name: "nathelper", Define: nathelper.Define},
	{Name: "path", Define: path.Define},
	{Name: "permissions", Define: permissions.Define},
	{Name: "pike", Define: pike.Define},
	{Name: "pipelimit", Define: pipelimit.Define},
	{Name: "pv", Define: pv.Define},
	{Name: "ratelimit", Define: ratelimit.Define},
	{Name: "regex", Define: regex.Define},
	{Name: "rr", Define: rr.Define},
	{Name: "rtimer", Define: rtimer.Define},
	{Name: "sanity", Define: sanity.Define},
	{Name: "sctp", Define: idle.SCTP},
	{Name: "sdpops", Define: sdpops.Define},
	{Name: "siptrace", Define: siptrace.Define},
	{Name: "siputils", Define: siputils.Define},
	{Name: "sl", Define: sl.Define},
	{Name: "snmpstats", Define: idle.SNMPStats},
	{Name: "statistics", Define: statistics.Define},
	{Name: "statsc", Define: idle.StatsC},
	{Name: "tcpops", Define: tcpops.Define},
	{Name: "textops", Define: textops.Define},
	{Name: "textopsx", Define: textopsx.Define},
	{Name: "tls", Define: tls.Define},
	{Name: "tm", Define: tm.Define},
	{Name: "tmx", Define: tmx.Define},
	{Name: "uac", Define: uac.Define},
	{Name: "uuid", Define: uuid.Define},
	{Name: "websocket", Define: websocket.Define},
	{Name: "xhttp", Define: xhttp.Define},
	{Name: "xhttp_rpc", Define: xhttp.DefineRPC},
	{Name: "xlog", Define: xlog.Define},
	{Name: "xmlrpc", Define: idle.XMLRPC},
}
