// Package tools holds the house rules that a machine can check: who may import whom, what package
// documents say, what the documents promise. It is all tests; nothing imports it. The programs and
// scripts that make calls live beside it.
package tools
