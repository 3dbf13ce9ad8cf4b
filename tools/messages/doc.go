// Package messages makes random valid SIP messages for tests: everyday ones, and ones that use the
// freedom of RFC 3261 §25.1 (compact and odd-case names, white space and folds wherever the grammar
// has them, lists in one row or several, quoted strings with commas and brackets in them, escapes,
// IPv6, unknown methods and headers). What is made is known in parts ([Message]), so that a test
// can compare what a parser or a proxy made of it without parsing it again; [Read] is the plain
// reader for what comes back.
//
// A message is a function of its [Source]: the bytes of a fuzz input, or a seed. The package knows
// nothing of the server under test, and nothing but tests may import it.
package messages
