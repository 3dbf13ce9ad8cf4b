package route

// unhonoured are the settings that are read and checked, and that nothing acts on yet: a file that
// names one is told so. Whoever makes one work takes it out of here.
var unhonoured = map[string]bool{
	"tos": true, "maxsndbuffer": true, "reply_to_via": true,
	"user_agent_header": true, "log_prefix": true,
	"dns_slow_query_ms": true, "dns_cache_rec_pref": true, "dns_cache_del_nonexp": true,
	"dns_cache_delete_nonexpired": true, "tcp_script_mode": true,
}
