// Package uac does what user agents do: Kamailio's module uac. It shows callers and callees under
// other names, answers challenges, and sends requests.
package uac

import (
	"viaduct/shard/modules/rr"
	"viaduct/shard/route"
)

// uac is the module of one load.
type uac struct {
	replacing
	auth
	requests
}

// Define is the module.
func Define(m *route.Module) {
	u := &uac{}
	u.replacing.define(m)
	u.auth.define(m)
	u.requests.define(m)
	registrations(m)
	if m.Loaded("rr") {
		rr.OnRoute(m, u.followed)
	}
}

// registrations are the parameters of the part that registers.
func registrations(m *route.Module) {
	const no = "nothing is registered yet"
	m.IdleText(no, "reg_db_url", "reg_db_table", "reg_contact_addr")
	m.IdleInt(no, "reg_timer_interval", "reg_retry_interval", "reg_random_delay", "reg_keep_callid",
		"reg_active", "reg_gc_interval", "reg_hash_size", "reg_use_domain")
}
