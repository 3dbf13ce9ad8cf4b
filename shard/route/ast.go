package route

// item is one top-level thing; the kind says which fields count.
type item struct {
	kind itemKind
	pos  Pos
	name string // global: its name; modparam: the module; loadmodule, loadpath: the argument; route: its name; custom: group.name
	// global: the value; modparam: the third argument
	val valueLit
	// modparam: the parameter; custom: the description
	param    string
	paramPos Pos
	listen   *Listen // listen, alias
	kindName string  // route: request_route, route, failure_route, …
	named    bool    // route: a name was given
	body     []stmt  // route
}

type itemKind uint8

const (
	itemGlobal itemKind = iota
	itemListen
	itemAlias
	itemCustom // group.name = value desc "…"
	itemLoadModule
	itemLoadPath
	itemModParam
	itemRoute
)

// valueLit is the value of a global or modparam: a number, a string or a bare word (yes, LOG_LOCAL0, a path).
type valueLit struct {
	pos  Pos
	kind litKind
	num  int64
	str  string
}

type litKind uint8

const (
	litNone litKind = iota
	litInt
	litStr
	litWord
)

// stmt is one statement.
type stmt interface{ at() Pos }

type (
	// ifStmt is if (cond) then else els.
	ifStmt struct {
		pos       Pos
		cond      expr
		then, els []stmt
		hasElse   bool
	}
	// whileStmt is while (cond) body.
	whileStmt struct {
		pos  Pos
		cond expr
		body []stmt
	}
	// switchStmt is switch (x) { case …: … default: … }.
	switchStmt struct {
		pos   Pos
		x     expr
		cases []caseClause
	}
	// assignStmt is $x = value.
	assignStmt struct {
		pos Pos
		to  *pvExpr
		x   expr
	}
	// exprStmt is a call or any other expression run for its effect.
	exprStmt struct {
		pos Pos
		x   expr
	}
	// jumpStmt is return, exit, drop or break; x is return's value or nil.
	jumpStmt struct {
		pos  Pos
		word string
		x    expr
	}
)

// caseClause is one case of a switch; x is nil for default. Control falls through to the next without break.
type caseClause struct {
	pos  Pos
	x    expr
	body []stmt
}

func (s *ifStmt) at() Pos     { return s.pos }
func (s *whileStmt) at() Pos  { return s.pos }
func (s *switchStmt) at() Pos { return s.pos }
func (s *assignStmt) at() Pos { return s.pos }
func (s *exprStmt) at() Pos   { return s.pos }
func (s *jumpStmt) at() Pos   { return s.pos }

// expr is one expression.
type expr interface{ at() Pos }

type (
	intLit struct {
		pos Pos
		n   int64
	}
	strLit struct {
		pos Pos
		s   string
	}
	// ipLit is an address or a network, as written.
	ipLit struct {
		pos Pos
		s   string
	}
	// pvExpr is a pseudo-variable; text is what stands behind the dollar sign.
	pvExpr struct {
		pos  Pos
		text string
	}
	// selExpr is a select, @name.
	selExpr struct {
		pos  Pos
		text string
	}
	// nameExpr is a bare word: a core keyword (method, uri, src_ip, …) or value (myself, UDP, …).
	nameExpr struct {
		pos  Pos
		name string
	}
	// callExpr is name(args). route(X) is one too.
	callExpr struct {
		pos    Pos
		name   string
		args   []expr
		parens bool // written with parentheses
	}
	unaryExpr struct {
		pos Pos
		op  string // ! - ~ (int) (str) defined strlen strempty
		x   expr
	}
	binaryExpr struct {
		pos  Pos // of the operator
		op   string
		l, r expr
	}
)

func (e *intLit) at() Pos     { return e.pos }
func (e *strLit) at() Pos     { return e.pos }
func (e *ipLit) at() Pos      { return e.pos }
func (e *pvExpr) at() Pos     { return e.pos }
func (e *selExpr) at() Pos    { return e.pos }
func (e *nameExpr) at() Pos   { return e.pos }
func (e *callExpr) at() Pos   { return e.pos }
func (e *unaryExpr) at() Pos  { return e.pos }
func (e *binaryExpr) at() Pos { return e.pos }
