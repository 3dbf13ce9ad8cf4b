package route

import "viaduct/shard/route/syntax"

// What a part of a route[NAME] is run for, where the route asks for that itself:
//
//	if (is_request()) { add_rr_param(";nat=yes"); }

// saying are the functions whose answer follows from what the route is run for. A response that
// onsend_route sees is one for is_reply(), too.
var saying = map[string]struct{ yes, no Kinds }{
	"is_request":         {Anywhere &^ InReplies, InReplies | InOnsend},
	"is_reply":           {InReplies | InOnsend, Anywhere &^ InReplies},
	"t_is_failure_route": {InFailure, Anywhere &^ InFailure},
	"t_is_branch_route":  {InBranch, Anywhere &^ InBranch},
	"t_is_reply_route":   {InReplies, Anywhere &^ InReplies},
}

// saysOf tells what a block may be run for where x is true, and where it is false.
func saysOf(x syntax.Expr) (yes, no kinds) {
	switch x := x.(type) {
	case *syntax.Call:
		if s, ok := saying[x.Name]; ok {
			return s.yes, s.no
		}
	case *syntax.Unary:
		if x.Op == "!" {
			no, yes = saysOf(x.X)
			return yes, no
		}
	case *syntax.Binary:
		ly, ln := saysOf(x.L)
		ry, rn := saysOf(x.R)
		switch x.Op {
		case "&&":
			return ly & ry, ln | rn
		case "||":
			return ly | ry, ln & rn
		}
	}
	return anywhere, anywhere
}

// leaves tells whether nothing of the list's route is run behind it.
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

// narrowed compiles with f what is run for no more than k.
func (cc *compiler) narrowed(k kinds, f func() target) target {
	outer := cc.never
	cc.never |= anywhere &^ k
	t := f()
	cc.never = outer
	return t
}

// behind is what is left of the kinds behind a statement.
func behind(s syntax.Stmt) kinds {
	x, ok := s.(*syntax.If)
	if !ok {
		return anywhere
	}
	yes, no := saysOf(x.Cond)
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
