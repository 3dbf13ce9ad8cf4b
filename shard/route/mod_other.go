package route

// ctlParams and jsonrpcsParams are accepted so that a stock configuration starts; viaductctl has its own socket.
var ctlParams = map[string]*paramDef{
	"binrpc": idleText(ownSocket), "fifo": idleText(ownSocket),
	"mode": idleNumber(ownSocket), "user": idleAny(ownSocket), "group": idleAny(ownSocket),
	"autoconversion": idleNumber(ownSocket), "binrpc_buffer_size": idleNumber(ownSocket),
	"binrpc_max_body_size": idleNumber(ownSocket), "binrpc_struct_max_body_size": idleNumber(ownSocket),
}

var jsonrpcsParams = map[string]*paramDef{
	"pretty_format": idleNumber(ownSocket), "transport": idleNumber(ownSocket), "fifo_name": idleText(ownSocket),
	"fifo_mode": idleAny(ownSocket), "fifo_group": idleAny(ownSocket), "fifo_user": idleAny(ownSocket), "fifo_reply_dir": idleText(ownSocket),
	"dgram_socket": idleText(ownSocket), "dgram_workers": idleNumber(ownSocket), "dgram_mode": idleAny(ownSocket),
	"dgram_group": idleAny(ownSocket), "dgram_user": idleAny(ownSocket), "dgram_timeout": idleNumber(ownSocket),
}

const ownSocket = "viaductctl has its own socket"
