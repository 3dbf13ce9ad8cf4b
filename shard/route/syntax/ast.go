package syntax

// File is a configuration file with all it includes.
type File struct {
	Name  string
	Items []Item
	// Defines are what #!define names stand for at the end of the file.
	Defines map[string]string
}

// Item is one top-level thing. Its kind says which fields count.
type Item struct {
	Kind ItemKind
	Pos  Pos
	// Name is that of a setting or route, the module of a modparam, the argument of loadmodule and
	// loadpath, or group.name.
	Name string
	// Val is the value of a setting, and the third argument of modparam.
	Val Literal
	// Param is the parameter of a modparam, and the description of a custom setting.
	Param    string
	ParamPos Pos
	// Socket is what a listen or alias line names.
	Socket *Socket
	// Word is what a route begins with: request_route, route, failure_route, …
	Word string
	// Named tells whether the route was given a name.
	Named bool
	// Body is the route's.
	Body []Stmt
}

// Unnamed tells whether the route has no name; 0 is Kamailio's spelling of none.
func (it *Item) Unnamed() bool { return it.Name == "" || it.Name == "0" }

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
	// Str is the text of a string or word, and the word that stands for a number such as yes.
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

// Socket is one of those that a listen or alias line names.
type Socket struct {
	// Proto is the protocol in lower case, empty when none is written.
	Proto string
	// Host is an address, a host name or an interface name, brackets removed.
	Host string
	// Port is 1..65535, and 0 when none is written.
	Port uint16
	// AdvertiseHost is empty when nothing is advertised. IPv6 keeps its brackets.
	AdvertiseHost string
	// AdvertisePort is 0 when none is written.
	AdvertisePort uint16
	// Name is the socket's name (`listen=… name "s1"`), empty when it has none.
	Name string
	Pos  Pos
}

// Stmt is one statement. At is its place.
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
)

// Case is one case of a switch. Its X is nil for default. Control falls through to the next one
// without break.
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

// Expr is one expression. At is its place.
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
	// Var is a pseudo-variable. Text is what stands behind the dollar sign.
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
	// Call is Name(Args). route(X) is one too.
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
