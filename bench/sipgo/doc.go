// Package sipgo measures Viaduct's parser beside that of github.com/emiago/sipgo, the most used SIP
// stack in Go. It is a module of its own, so that the dependencies of the peer stay out of
// Viaduct's go.mod. When not to use it: it measures parsing only; for the servers as a whole see
// bench.
package sipgo
