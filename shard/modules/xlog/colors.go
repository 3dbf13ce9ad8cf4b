package xlog

import (
	"strings"

	"viaduct/shard/route"
)

// colors are the letters of $C(xy), in the order of the numbers that terminals have for them. A
// capital letter is bold.
const colors = "srgybpcw"

// color is $C(xy): what makes a terminal write in a colour, x, on another one, y. The letter x is
// that of the terminal itself.
func color(b *route.VarBuild, inner, _ string) route.Place {
	number := func(letter byte, base string) string {
		switch i := strings.IndexByte(colors, letter|0x20); {
		case letter == 'x':
			return base + "9"
		case letter >= 'A' && i >= 0:
			return base + string("01234567"[i])
		}
		return ""
	}
	if len(inner) != 2 {
		b.Errorf("$C(%s): it is written with two letters, as in $C(rx)", inner)
		return route.Place{}
	}
	front, back := number(inner[0], "3"), number(inner[1], "4")
	if front == "" || back == "" || inner[1] < 'a' {
		b.Errorf("$C(%s): a colour is one of x, s, r, g, y, b, p, c and w; the first may be a capital "+
			"letter, for bold", inner)
		return route.Place{}
	}
	bold := "0;"
	if inner[0] < 'a' {
		bold = "1;"
	}
	text := []byte("\x1b[" + bold + front + ";" + back + "m")
	return route.Place{NoRoom: true, Text: func(*route.Ctx) ([]byte, bool) { return text, true }}
}
