package route

import "viaduct/shard/route/syntax"

// A part of a route[NAME] may run in fewer kinds of route than the whole, if the script tests for
// that itself:
//
//	if (is_request()) { add_rr_param(";nat=yes"); }

// kindTests has the functions whose answer follows from the kind of route, and the kinds in which
// each may answer yes and no. is_reply() is also true for a response in onsend_route.
var kindTests = map[string]struct{ yes, no Kinds }{
	"is_request":         {Anywhere &^ InReplies, InReplies | InOnsend},
	"is_reply":           {InReplies | InOnsend, Anywhere &^ InReplies},
	"t_is_failure_route": {InFailure, Anywhere &^ InFailure},
	"t_is_branch_route":  {InBranch, Anywhere &^ InBranch},
	"t_is_reply_route":   {InReplies, Anywhere &^ InReplies},
}

// kindsWhere returns in which kinds of route x may be true, and in which it may be false.
func kindsWhere(x syntax.Expr) (yes, no kinds) {
	switch x := x.(type) {
	case *syntax.Call:
		if s, ok := kindTests[x.Name]; ok {
			return s.yes, s.no
		}
	case *syntax.Unary:
		if x.Op == "!" {
			no, yes = kindsWhere(x.X)
			return yes, no
		}
	case *syntax.Binary:
		ly, ln := kindsWhere(x.L)
		ry, rn := kindsWhere(x.R)
		switch x.Op {
		case "&&":
			return ly & ry, ln | rn
		case "||":
			return ly | ry, ln & rn
		}
	}
	return anywhere, anywhere
}

// leaves tells whether the list always ends its route, so that nothing of the route runs behind it.
func leaves(list []syntax.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *syntax.Jump:
		return s.Word != "break"
	case *syntax.If:
		return s.HasElse && leaves(s.Then) && leaves(s.Else)
	}
	return false
}

// narrowed compiles with f a part that only the kinds k can reach.
func (cc *compiler) narrowed(k kinds, f func() target) target {
	outer := cc.never
	cc.never |= anywhere &^ k
	t := f()
	cc.never = outer
	return t
}

// behind returns the kinds that can reach what stands behind s.
func behind(s syntax.Stmt) kinds {
	x, ok := s.(*syntax.If)
	if !ok {
		return anywhere
	}
	yes, no := kindsWhere(x.Cond)
	switch {
	case leaves(x.Then) && x.HasElse && leaves(x.Else):
		return 0
	case leaves(x.Then):
		return no
	case x.HasElse && leaves(x.Else):
		return yes
	}
	return anywhere
}
