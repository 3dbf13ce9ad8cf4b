// Package syntax reads Kamailio's native configuration language: text in, tree out.
//
// Parse is the whole of it: lexer, preprocessor and parser, in one pass over a file and what it
// includes. What is wrong is collected with its place in Findings, and the parser goes on behind
// it, so that one run lists all of it. Who compiles the tree adds to the same list.
//
// Ownership: a tree belongs to who asked for it, and nothing here is kept between two calls.
//
// When not to use it: this package knows no SIP, no module and no name of a function or variable.
// What a tree means is for package route to say.
package syntax
