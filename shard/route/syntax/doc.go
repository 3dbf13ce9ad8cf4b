// Package syntax reads Kamailio's native configuration language: text in, tree out.
//
// Parse does all of it: lexer, preprocessor and parser, in one pass over a file and its includes.
// Errors are collected with their places in Findings, and the parser goes on after each, so that
// one run lists all of them. Whoever compiles the tree adds to the same list.
//
// Ownership: a tree belongs to the caller of Parse. The package keeps nothing between two calls.
//
// When not to use it: this package knows no SIP, no module and no name of a function or variable.
// What a tree means is for package route to say.
package syntax
