package main

import "testing"

func TestMergeSettings(t *testing.T) {
	f := func(text, want string, lines ...string) {
		t.Helper()
		if got := mergeSettings(text, lines); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	f(savedHead, savedHead+"debug=3\n", "debug=3")
	f("# mine\ndebug=1\nudp_wq_max=5\n", "# mine\ndebug=3\nudp_wq_max=5\n", "debug=3")
	f("modparam(\"tm\", \"blst_503\", 0)\n", "modparam(\"tm\", \"blst_503\", 1)\ndebug=2\n",
		`modparam("tm", "blst_503", 1)`, "debug=2")
	f("modparam(\"a\", \"b\", \"x, y\")\n", "modparam(\"a\", \"b\", \"z, w\")\n", `modparam("a", "b", "z, w")`)
}
