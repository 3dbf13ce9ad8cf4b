//go:build !amd64

package parser

func setPlain(bool) bool { return false }
