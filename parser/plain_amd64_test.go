package parser

// setPlain chooses between the assembly and the Go code; false: there is no choice.
func setPlain(on bool) bool {
	hasPlain = on
	return true
}
