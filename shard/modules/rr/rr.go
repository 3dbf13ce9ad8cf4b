// Package rr keeps this host in the path of a dialog: Kamailio's module rr (RFC 3261 §16.4, §16.6
// item 4 and §16.12). Package proxy does the work.
package rr

import "viaduct/shard/route"

// Define is the module.
func Define(m *route.Module) {
	set := &m.Settings().RR
	m.BoolVar(&set.EnableFullLR, "enable_full_lr", `Writes ";lr=on", not ";lr".`)
	m.BoolVar(&set.AppendFromtag, "append_fromtag", "Adds the From tag to Record-Route.")
	m.IntVar(&set.EnableDoubleRR, "enable_double_rr", 0, 2,
		"1: two Record-Route where protocol or socket change. 2: always two.")
	m.BoolVar(&set.AddUsername, "add_username",
		"Copies the user of the Request-URI into Record-Route.")
	m.BoolVar(&set.EnableSocketMismatchWarning, "enable_socket_mismatch_warning",
		"Logs when the second Route does not fit the first.")
	m.BoolVar(&set.ForceSendSocket, "force_send_socket",
		"Sends from the socket of the second Route.")
	m.BoolVar(&set.SignRoutes, "sign_routes",
		"Follows a Route only for calls that were set up through this host. Not Kamailio's.")
	m.TextVar(&set.CustomUserAVP, "custom_user_avp", "A text that is kept.")
	m.NotYet("add_username", "force_send_socket")
	m.IdleInt("Record-Route is sips when the Request-URI is (RFC 3261 §16.6 item 4)", "ignore_sips")
	m.IdleInt("Record-Route carries addresses, not socket names", "sockname_mode")

	route.Func0(m, "record_route", route.InRequest|route.InFailure, "Inserts our Record-Route.",
		func(c *route.Ctx) route.Result {
			c.Request.RecordRoute()
			return 1
		}).MoreSoon(1).Soon(route.InBranch)
	route.Func0(m, "loose_route", route.InRequest,
		"Takes our Route off. True: the request follows a route set. -3: the set was ours alone, "+
			"outside of a dialog.",
		func(c *route.Ctx) route.Result { return c.Moved(c.LooseRoute()) })
}
