package route

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
	status := num(func(c *Ctx) (int64, bool) { return int64(c.msg.Status), !c.msg.IsRequest })
	rc := num(func(c *Ctx) (int64, bool) { return int64(c.Return), true })
	proto := str(readProto)
	pvs = map[string]*pvDef{
		"ru": set(str(readRURI), setRURI),
		"rU": set(str(ruriPart(userOf)), setPart(userPart)),
		"rd": set(str(ruriPart(hostOf)), setPart(hostPart)),
		"rp": set(num(ruriPort), setPart(portPart)),
		"rP": str(ruriTransport),
		"rz": str(ruriPart(schemeOf)),
		"ou": str(readOrigURI), "oU": str(origPart(userOf)), "od": str(origPart(hostOf)), "op": num(origPort),
		"du": set(str(readDstURI), setDstURI),
		"dd": str(dstPart(hostOf)),
		"dp": num(dstPort),
		"dP": str(dstTransport),

		"fu": str(readFromURI), "fU": str(fromPart(userOf)), "fd": str(fromPart(hostOf)), "ft": str(readFromTag), "fn": str(readFromName),
		"tu": str(readToURI), "tU": str(toPart(userOf)), "td": str(toPart(hostOf)), "tt": str(readToTag), "tn": str(readToName),

		"ci": str(readCallID),
		"cs": num(readCSeq),
		"rm": str(readMethodOf),
		"rs": status, "T_reply_code": nil,
		"rr": str(readPhrase),
		"ua": str(readUserAgent),
		"ct": str(readContact),
		"cT": str(readContentType),
		"cl": num(readContentLength),
		"rb": str(readBody),
		"mb": str(func(c *Ctx) ([]byte, bool) { return c.msg.Raw, true }),
		"ml": num(func(c *Ctx) (int64, bool) { return int64(len(c.msg.Raw)), true }),
		"mt": num(readMsgType),

		"si": temp(str(readSrcIP)), "sp": num(func(c *Ctx) (int64, bool) { return int64(c.Host.Source().Port()), true }),
		"Ri": temp(str(readRcvIP)), "Rp": num(func(c *Ctx) (int64, bool) { return int64(c.Host.Received().Port()), true }),
		"pr": proto, "proto": proto,
		"af": nil,

		"rc": rc, "retcode": rc, "?": rc,
		"null": {code: pvCode{any: func(*Ctx) Value { return Value{} }}},
		"hdr":  {inner: true, make: makeHdr},
		"var":  {inner: true, make: makeVar},
	}
	delete(pvs, "T_reply_code")
	delete(pvs, "af")
}

// knownPVs are variables Kamailio 5.6 has and Viaduct has not yet.
var knownPVs = map[string]bool{}

func init() {
	for _, n := range []string{
		"avp", "xavp", "xavu", "xavi", "shv", "sht", "shtex", "shtcn", "shtcv", "shtitkey", "shtitval", "shtrecord", "sel", "dsv", "dsg",
		"Ad", "adu", "aa", "Ai", "aU", "ad", "ar", "auth", "AU", "ai", "au", "cnt", "br", "branch", "bf", "bF", "bfl", "cfg", "conid",
		"csb", "ctu", "def", "defn", "defv", "di", "dir", "dip", "dlg", "dlg_ctx", "dlg_var", "ds", "dns", "env", "err", "expires",
		"fs", "fsn", "fv", "fb", "hn", "hdrc", "hdr_", "hfl", "hfitname", "hfitbody", "http", "ipopsloc", "K", "lsock", "m", "mf", "mF", "mi", "mG",
		"msg", "nh", "ns", "oP", "pd", "pn", "pp", "prefix", "pU", "pu", "python", "rcv", "RAi", "RAp", "RAu", "RAut", "rdir",
		"re", "Rn", "Ru", "Rut", "rv", "sas", "sbranch", "sf", "sF", "sndto", "snd", "src", "stat", "statsd", "su", "sut",
		"T", "T_branch", "T_branch_idx", "T_inv", "T_rpl", "T_req", "T_reply_code", "T_reply_last", "T_reply_reason", "T_reply_ruid", "tb",
		"TV", "td", "tdb", "tf", "tfl", "time", "timef", "timel", "tls", "TF", "TLf", "Ts", "TS", "tz", "u", "ul", "uac_req", "uid", "uri",
		"version", "vn", "via0", "via1", "viaZ", "ruid", "xml", "x_hdr", "x_fu", "x_fU", "x_fd", "x_fn", "x_tu", "x_tU", "x_td", "x_tn",
		"xavp_", "vz", "Rc", "rG", "location_ua", "jsonrpl", "siprec", "C", "cti", "msgbuf", "hfu", "notify_reply", "mct", "af", "dsx", "ksr",
	} {
		if pvs[n] == nil {
			knownPVs[n] = true
		}
	}
}
