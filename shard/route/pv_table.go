package route

import "strings"

// pvs are the variables by class name (pseudo-variables cookbook 5.6.x).
var pvs map[string]*pvDef

func init() {
	str := func(f func(c *Ctx) ([]byte, bool)) *pvDef { return &pvDef{code: pvCode{bytes: f}} }
	num := func(f func(c *Ctx) (int64, bool)) *pvDef { return &pvDef{code: pvCode{num: f}} }
	temp := func(d *pvDef) *pvDef { d.code.temp = true; return d }
	set := func(d *pvDef, f func(c *Ctx, v Value) setResult) *pvDef {
		d.code.set, d.code.builds = f, true
		return d
	}
	status := num(func(c *Ctx) (int64, bool) { return int64(c.Msg.Status), !c.Msg.IsRequest })
	rc := num(func(c *Ctx) (int64, bool) { return int64(c.Return), true })
	proto := str(readProto)
	pvs = map[string]*pvDef{
		"ru": set(str(readRURI), setRURI),
		"rU": set(str(ruriPart(userOf)), setPart(userPart)),
		"rd": set(str(ruriPart(hostOf)), setPart(hostPart)),
		"rp": set(num(ruriPort), setPart(portPart)),
		"rP": str(ruriTransport),
		"rz": str(ruriPart(schemeOf)),
		"ou": str(readOrigURI), "oU": str(origPart(userOf)), "od": str(origPart(hostOf)),
		"op": num(origPort),
		"du": set(str(readDstURI), setDstURI),
		"dd": str(dstPart(hostOf)),
		"dp": num(dstPort),
		"dP": str(dstTransport),

		"fu": str(readFromURI), "fU": str(fromPart(userOf)), "fd": str(fromPart(hostOf)),
		"ft": str(readFromTag), "fn": str(readFromName),
		"tu": str(readToURI), "tU": str(toPart(userOf)), "td": str(toPart(hostOf)),
		"tt": str(readToTag), "tn": str(readToName),

		"ci": str(readCallID),
		"cs": num(readCSeq),
		"rm": str(readMethodOf),
		"rs": status,
		"rr": str(readPhrase),
		"ua": str(readUserAgent),
		"ct": str(readContact),
		"cT": str(readContentType),
		"cl": num(readContentLength),
		"rb": str(readBody),
		"mb": str(func(c *Ctx) ([]byte, bool) { return c.Msg.Raw, true }),
		"ml": num(func(c *Ctx) (int64, bool) { return int64(len(c.Msg.Raw)), true }),
		"mt": num(readMsgType),

		"si": temp(str(readSrcIP)), "sp": num(func(c *Ctx) (int64, bool) {
			return int64(c.From().Port()), true
		}),
		"Ri": temp(str(readRcvIP)), "Rp": num(func(c *Ctx) (int64, bool) {
			return int64(c.to().Port()), true
		}),
		"siz": temp(str(readSrcHost)),
		"pr":  proto, "proto": proto,
		"prid": num(readProtoNumber),

		"rc": rc, "retcode": rc, "?": rc,
		"sel": {inner: true, make: func(cc *compiler, pos Pos, inner, _ string) *pvCode {
			return cc.sel(pos, strings.TrimPrefix(inner, "@"))
		}},
		"null": {code: pvCode{any: func(*Ctx) Value { return Value{} }}},
		"hdr":  {inner: true, index: true, make: makeHdr},
		"var":  {inner: true, make: makeVar},
		"vz":   {inner: true, make: makeVar},
		"vn":   {inner: true, make: makeVN},
	}
	defineStreamPVs()
	defineFlagPVs()
}

// knownPVs are variables Kamailio 5.6 has (pseudo-variables cookbook) and Viaduct has not yet.
var knownPVs = map[string]bool{}

func init() {
	for _, n := range []string{
		"AU", "Au", "BM_time_diff", "TF", "T_branch",
		"T_inv", "T_reply_last", "T_reply_reason", "T_reply_ruid", "T_req", "T_rpl", "_s",
		"af", "bR", "blitval", "br", "branch", "bs", "ccp", "cfg", "cnt",
		"csb", "def", "defn", "dic", "dip", "dir", "dlg", "dlg_ctx", "dlg_var", "ds", "dsv", "env",
		"erl_atom",
		"erl_list", "erl_pid", "erl_ref", "erl_tuple", "erl_xbuff", "expires", "fUl", "fti",
		"hfitbody",
		"hfitname", "hfl", "hflc", "location_ua", "lsock", "mbu", "mi", "msgbuf", "oP", "oUl",
		"rUl", "rcv", "rdir", "rmid", "route_uri", "rpl", "rt", "ruid", "rv", "sas", "sbranch",
		"sht", "shtcn", "shtcv", "shtdec", "shtex", "shtinc", "shtitkey", "shtitval", "sid",
		"sipdump", "siptrace",
		"stat", "tUl", "time", "timef", "tti", "uac_req", "utime", "utimef",
		"version",
		// Of module tls, what is not in its folder.
		"tls", "tls_peer_raw_cert", "tls_my_raw_cert", "tls_peer_urlencoded_cert",
		"tls_my_urlencoded_cert", "tls_peer_subject_locality",
		"tls_peer_issuer_locality", "tls_my_subject_locality", "tls_my_issuer_locality",
		"tls_peer_subject_country", "tls_peer_issuer_country",
		"tls_my_subject_country", "tls_my_issuer_country", "tls_peer_subject_state",
		"tls_peer_issuer_state", "tls_my_subject_state",
		"tls_my_issuer_state", "tls_peer_subject_unit", "tls_peer_issuer_unit",
		"tls_my_subject_unit", "tls_my_issuer_unit",
		"tls_peer_subject_uid", "tls_my_subject_uid", "rr_count", "rr_top_count", "tcp",
	} {
		knownPVs[n] = true
	}
}
