package tmx

import (
	"strconv"

	"viaduct/shard/route"
)

// byCallID declares what is done to the transaction of another call.
func byCallID(m *route.Module) {
	callID := route.Text("callid", "its Call-ID")
	cseq := route.Text("cseq", "the number of its CSeq")
	flag := route.Int("flag", 0, 1<<31-1, "a flag that the transaction gets, 1 to 31; 0: none")
	cause := route.Optional(route.Int("code", 0, 1<<31-1,
		"the cause in the Reason of the CANCEL, if local_cancel_reason allows one"), 0)
	set := m.Settings()

	m.Func(route.Func{Name: "t_cancel_callid", In: route.Anywhere,
		Args: []route.AnyArg{callID, cseq, flag, cause},
		Doc: "Cancels the branches of a call under way. The response to the call follows from that, " +
			"and its failure route runs. False: there is no such call. If the call belongs to another " +
			"shard the run waits for its answer; where nothing can wait the result is true. (Of " +
			"several transactions this is the INVITE's, in Kamailio 5.6.3 any.)",
		Build: func(b *route.Build) route.Call {
			named, ok := namedCall(b, callID, cseq)
			flag, ok1 := flag.At(b, 2)
			cause, ok2 := cause.At(b, 3)
			if !ok || !ok1 || !ok2 {
				return nil
			}
			set.Txn.FindCalls = true
			return b.Order(func(c *route.Ctx) (o route.CallOrder, r route.Result) {
				if o, r = named(c); r <= 0 {
					return o, r
				}
				if o.Flag, r = flag.Get(c); r <= 0 {
					return o, r
				}
				if o.Flag > 31 {
					o.Flag = 0 // as Kamailio has it
				}
				o.Code, r = cause.Get(c)
				return o, r
			})
		}})

	code := route.Int("code", 100, 699, "the status")
	reason := route.Phrase("reason", "the reason phrase")
	m.Func(route.Func{Name: "t_reply_callid", In: route.Anywhere,
		Args: []route.AnyArg{callID, cseq, code, reason},
		Doc: "Answers the request of a transaction under way, when its shard is done with its " +
			"current message. A final response ends what is under way for it. False: there is no " +
			"such transaction, or it has its final response. If it belongs to another shard the run " +
			"waits for that one's answer; where nothing can wait the result is true.",
		Build: func(b *route.Build) route.Call {
			named, ok := namedCall(b, callID, cseq)
			code, ok1 := code.At(b, 2)
			reason, ok2 := reason.At(b, 3)
			if !ok || !ok1 || !ok2 {
				return nil
			}
			set.Txn.FindCalls = true
			return b.Order(func(c *route.Ctx) (o route.CallOrder, r route.Result) {
				if o, r = named(c); r <= 0 {
					return o, r
				}
				o.Answer = true
				if o.Code, r = code.Get(c); r <= 0 {
					return o, r
				}
				o.Reason, r = reason.Get(c)
				return o, r
			})
		}})
}

// namedCall compiles the two arguments that name a transaction. The result is false for a CSeq that
// is no number.
func namedCall(b *route.Build, callID, cseq route.Arg[[]byte]) (
	func(c *route.Ctx) (route.CallOrder, route.Result), bool) {
	id, ok1 := callID.At(b, 0)
	number, ok2 := cseq.At(b, 1)
	return func(c *route.Ctx) (o route.CallOrder, r route.Result) {
		if o.CallID, r = id.Get(c); r <= 0 {
			return o, r
		}
		text, r := number.Get(c)
		if r <= 0 {
			return o, r
		}
		n, err := strconv.ParseUint(string(text), 10, 32)
		if err != nil {
			return o, -1
		}
		o.CSeq = uint32(n)
		return o, 1
	}, ok1 && ok2
}
