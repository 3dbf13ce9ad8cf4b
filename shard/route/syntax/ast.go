package syntax

// File is a configuration file with everything that it includes.
type File struct {
	Name  string
	Items []Item
	// Defines is what the names of #!define stand for at the end of the file.
	Defines map[string]string
}

// Item is one item at the top level of a file. Its Kind says which fields are used.
type Item struct {
	Kind ItemKind
	Pos  Pos
	// Name is the name of a setting or route, the module of a modparam, the argument of loadmodule
	// or loadpath, or group.name.
	Name string
	// Val is the value of a setting, and the third argument of modparam.
	Val Literal
	// Param is the parameter of a modparam, and the description of a custom setting.
	Param    string
	ParamPos Pos
	// Socket is the socket of a listen line, or the name of an alias line.
	Socket *Socket
	// Word is the word that a route begins with: request_route, route, failure_route, …
	Word string
	// Named tells whether the route has brackets with a name.
	Named bool
	// Body has the statements of a route.
	Body []Stmt
	// Called marks the copy of request_route that route(0) calls. It is the only route[0] there is.
	Called bool
}

// Unnamed tells whether the route has no name. In Kamailio 0 means no name.
func (it *Item) Unnamed() bool { return it.Name == "" || it.Name == "0" && !it.Called }

// ItemKind says what an Item is.
type ItemKind uint8

// The kinds of items.
const (
	SettingItem    ItemKind = iota // name = value
	ListenItem                     // one socket of a listen line
	AliasItem                      // one name of an alias line
	CustomItem                     // group.name = value desc "…"
	LoadModuleItem                 // loadmodule "…"
	LoadPathItem                   // loadpath "…"
	ModParamItem                   // modparam("…", "…", value)
	RouteItem                      // route[…] { … }
	FlagItem                       // one name of a flags line; Val is its number, if it has one
	AVPFlagItem                    // one name of an avpflags line
)

// Literal is the value of a setting or modparam: a number, a string or a bare word (yes,
// LOG_LOCAL0, a path).
type Literal struct {
	Pos  Pos
	Kind LiteralKind
	Num  int64
	// Str is the text of a string or a word. It is also set for a word that stands for a number,
	// such as yes.
	Str string
}

// LiteralKind says what a Literal is.
type LiteralKind uint8

// The kinds of literals.
const (
	NoLiteral LiteralKind = iota
	IntLiteral
	StrLiteral
	WordLiteral
)

// Socket is one socket or name of a listen or alias line.
type Socket struct {
	// Proto is the protocol in lower case, empty if none is written.
	Proto string
	// Host is an address, a host name or an interface name, brackets removed.
	Host string
	// Port is 1 to 65535, or 0 if none is written.
	Port uint16
	// AdvertiseHost is empty if nothing is advertised. IPv6 keeps its brackets.
	AdvertiseHost string
	// AdvertisePort is 0 if none is written.
	AdvertisePort uint16
	// Name is the name of the socket (`listen=… name "s1"`), empty if it has none.
	Name string
	Pos  Pos
}

// Stmt is one statement. At returns its place.
type Stmt interface{ At() Pos }

// The statements.
type (
	// If is if (Cond) Then else Else.
	If struct {
		Pos        Pos
		Cond       Expr
		Then, Else []Stmt
		HasElse    bool
	}
	// While is while (Cond) Body.
	While struct {
		Pos  Pos
		Cond Expr
		Body []Stmt
	}
	// Switch is switch (X) { case …: … default: … }.
	Switch struct {
		Pos   Pos
		X     Expr
		Cases []Case
	}
	// Assign is To = X.
	Assign struct {
		Pos Pos
		To  *Var
		X   Expr
	}
	// ExprStmt is a call or any other expression run for its effect.
	ExprStmt struct {
		Pos Pos
		X   Expr
	}
	// Jump is return, exit, drop or break. X is the value of return, or nil.
	Jump struct {
		Pos  Pos
		Word string
		X    Expr
	}
	// Broken is a statement with a syntax error. Names has what is known of it: calls, without
	// arguments unless they call a route, variables, and the texts that are arguments.
	Broken struct {
		Pos   Pos
		Names []Expr
	}
)

// Case is one case of a switch. X is nil for default. Without break, control falls through to the
// next case.
type Case struct {
	Pos     Pos
	X       Expr
	Pattern bool // X is a regular expression
	Body    []Stmt
}

// At is where the if stands.
func (s *If) At() Pos { return s.Pos }

// At is where the while stands.
func (s *While) At() Pos { return s.Pos }

// At is where the switch stands.
func (s *Switch) At() Pos { return s.Pos }

// At is where the variable stands.
func (s *Assign) At() Pos { return s.Pos }

// At is where the expression begins.
func (s *ExprStmt) At() Pos { return s.Pos }

// At is where the word stands.
func (s *Jump) At() Pos { return s.Pos }

// At is where the statement begins.
func (s *Broken) At() Pos { return s.Pos }

// Expr is one expression. At returns its place.
type Expr interface{ At() Pos }

// The expressions.
type (
	// Int is a number.
	Int struct {
		Pos Pos
		N   int64
	}
	// Str is a text in quotes, decoded.
	Str struct {
		Pos Pos
		S   string
	}
	// IP is an address or a network, as written.
	IP struct {
		Pos Pos
		S   string
	}
	// Var is a pseudo-variable. Text is what follows the dollar sign.
	Var struct {
		Pos  Pos
		Text string
	}
	// Select is @Text.
	Select struct {
		Pos  Pos
		Text string
	}
	// Name is a bare word: a core keyword (method, uri, src_ip, …) or value (myself, UDP, …).
	Name struct {
		Pos  Pos
		Name string
	}
	// Call is Name(Args), such as route(X).
	Call struct {
		Pos  Pos
		Name string
		Args []Expr
	}
	// Unary is Op X.
	Unary struct {
		Pos Pos
		Op  string // ! - ~ (int) (str) defined strlen strempty
		X   Expr
	}
	// Binary is L Op R.
	Binary struct {
		Pos  Pos // of the operator
		Op   string
		L, R Expr
	}
)

// At is where the number begins.
func (e *Int) At() Pos { return e.Pos }

// At is where the text begins.
func (e *Str) At() Pos { return e.Pos }

// At is where the address begins.
func (e *IP) At() Pos { return e.Pos }

// At is where the dollar sign stands.
func (e *Var) At() Pos { return e.Pos }

// At is where the at sign stands.
func (e *Select) At() Pos { return e.Pos }

// At is where the word begins.
func (e *Name) At() Pos { return e.Pos }

// At is where the function's name begins.
func (e *Call) At() Pos { return e.Pos }

// At is where the operator stands.
func (e *Unary) At() Pos { return e.Pos }

// At is where the operator stands.
func (e *Binary) At() Pos { return e.Pos }
