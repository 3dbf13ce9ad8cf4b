package outside

import "strings"

// routes is a program like stateful.cfg's whose initial requests do what initial says; more are
// routes of its own. Kamailio 5.6 takes it too.
func routes(initial string, more ...string) string {
	return `request_route {
	if (!mf_process_maxfwd_header("70")) {
		sl_send_reply("483", "Too Many Hops");
		exit;
	}
	if (has_totag()) {
		if (loose_route()) {
			route(RELAY);
		}
		if (is_method("ACK")) {
			if (t_check_trans()) {
				t_relay();
			}
			exit;
		}
		sl_send_reply("404", "Not here");
		exit;
	}
	if (is_method("CANCEL")) {
		if (t_check_trans()) {
			t_relay();
		}
		exit;
	}
	t_check_trans();
	if (is_method("INVITE|SUBSCRIBE")) {
		record_route();
	}
` + initial + `
}

route[RELAY] {
	if (!t_relay()) {
		sl_reply_error();
	}
	exit;
}
` + strings.Join(more, "\n")
}

// relay is the program that sends an initial request where its Request-URI says.
var relay = routes("\troute(RELAY);")
