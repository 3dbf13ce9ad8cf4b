package tm

import (
	"strconv"

	"viaduct/shard/route"
)

// statuses declares the functions about the status of a response.
func statuses(m *route.Module) {
	pattern := route.Special("pattern",
		"found anywhere in the code unless anchored, as regexec(3) looks for it")
	m.Func(route.Func{Name: "t_check_status",
		In:   route.InRequest | route.InFailure | route.InReplies,
		Args: []route.AnyArg{pattern},
		Doc: "Tells whether the status of the best response, or in a reply route of the response, " +
			"matches a pattern.",
		Build: checkStatus})
	route.Func0(m, "t_get_status_code", route.Anywhere, "Returns that status. It is below 0 if "+
		"there is none.",
		func(c *route.Ctx) route.Result {
			if n := c.ReplyStatus(); n > 0 {
				return n
			}
			return -1
		})
}

// statusSet has a bit for each status of 100..699.
type statusSet [(700 - 100 + 63) / 64]uint64

func (s *statusSet) add(status int) { s[(status-100)>>6] |= 1 << ((status - 100) & 63) }

func (s *statusSet) has(status int) bool {
	i := uint(status - 100)
	return i < 600 && s[i>>6]>>(i&63)&1 != 0
}

// checkStatus compiles t_check_status("re"). There are 600 codes, so that all are tried at load and
// a run is a look into a bitmap.
func checkStatus(b *route.Build) route.Call {
	re := b.Pattern(0)
	if re == nil {
		return nil
	}
	set := new(statusSet)
	for n := 100; n < 700; n++ {
		if re.MatchString(strconv.Itoa(n)) {
			set.add(n)
		}
	}
	if *set == (statusSet{}) {
		s, _ := b.Literal(0)
		b.Warnf(0, "no status from 100 to 699 matches %s", route.Quote(s))
	}
	return func(c *route.Ctx) route.Result { return route.Truth(set.has(c.ReplyStatus())) }
}
