package acc

import (
	"strings"

	"viaduct/shard/route"
)

// functions declares the functions.
func (a *acc) functions(m *route.Module) {
	route.Func1(m, "acc_log_request", route.Anywhere,
		route.Text("comment", "a code and a reason, such as \"404 Not found\", or a reason"),
		"Accounts the request, or the response, at once.",
		func(c *route.Ctx, comment []byte) route.Result {
			code, reason := "", string(comment)
			if len(comment) >= 3 && digits(comment[:3]) {
				code, reason = reason[:3], strings.TrimLeft(reason[3:], " \t")
			}
			a.log(c, "ACC: request accounted: ", nil, code, reason)
			return 1
		})
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
