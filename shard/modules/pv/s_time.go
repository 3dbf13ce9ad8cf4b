package pv

import (
	"strconv"
	"time"

	"viaduct/shard/route"
)

// ftime writes a time as strftime(3) does in the locale C, in local time. A text that is no number
// of seconds, or one of 2^31 and more, is null.
func ftime(c *route.Ctx, v route.Value, format []byte) route.Value {
	n := toInt(c, v)
	if n.IsNull() || n.N < 0 || n.N > 1<<31-1 {
		return route.Null
	}
	out := c.Room()
	if len(format)*32 > cap(out) {
		return c.TooLong()
	}
	return c.Built(strftime(out, string(format), time.Unix(n.N, 0), 0))
}

// Strftime appends a time as strftime(3) does in the locale C.
func Strftime(dst []byte, format string, t time.Time) []byte {
	return strftime(dst, format, t, 0)
}

// strftime appends t. A format may hold others, such as %T, one level deep.
func strftime(dst []byte, format string, t time.Time, depth int) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			dst = append(dst, format[i])
			continue
		}
		i++
		// E and O ask for other forms, which the locale C has not.
		if (format[i] == 'E' || format[i] == 'O') && i+1 < len(format) {
			i++
		}
		if sub := composed[format[i]]; sub != "" && depth == 0 {
			dst = strftime(dst, sub, t, 1)
			continue
		}
		dst = conversion(dst, format[i], t)
	}
	return dst
}

var composed = [256]string{'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'F': "%Y-%m-%d",
	'R': "%H:%M", 'r': "%I:%M:%S %p", 'T': "%H:%M:%S", 'x': "%m/%d/%y", 'X': "%H:%M:%S"}

// conversion appends what one letter stands for.
func conversion(dst []byte, letter byte, t time.Time) []byte {
	isoYear, isoWeek := t.ISOWeek()
	hour12 := (t.Hour()+11)%12 + 1
	switch letter {
	case 'a':
		return t.AppendFormat(dst, "Mon")
	case 'A':
		return t.AppendFormat(dst, "Monday")
	case 'b', 'h':
		return t.AppendFormat(dst, "Jan")
	case 'B':
		return t.AppendFormat(dst, "January")
	case 'C':
		return padded(dst, t.Year()/100, 2, '0')
	case 'd':
		return padded(dst, t.Day(), 2, '0')
	case 'e':
		return padded(dst, t.Day(), 2, ' ')
	case 'g':
		return padded(dst, isoYear%100, 2, '0')
	case 'G':
		return strconv.AppendInt(dst, int64(isoYear), 10)
	case 'H':
		return padded(dst, t.Hour(), 2, '0')
	case 'I':
		return padded(dst, hour12, 2, '0')
	case 'j':
		return padded(dst, t.YearDay(), 3, '0')
	case 'k':
		return padded(dst, t.Hour(), 2, ' ')
	case 'l':
		return padded(dst, hour12, 2, ' ')
	case 'm':
		return padded(dst, int(t.Month()), 2, '0')
	case 'M':
		return padded(dst, t.Minute(), 2, '0')
	case 'n':
		return append(dst, '\n')
	case 'p':
		return t.AppendFormat(dst, "PM")
	case 'P':
		return t.AppendFormat(dst, "pm")
	case 's':
		return strconv.AppendInt(dst, t.Unix(), 10)
	case 'S':
		return padded(dst, t.Second(), 2, '0')
	case 't':
		return append(dst, '\t')
	case 'u':
		return strconv.AppendInt(dst, int64(t.Weekday()+6)%7+1, 10)
	case 'U': // weeks begin on Sunday
		return padded(dst, (t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'V':
		return padded(dst, isoWeek, 2, '0')
	case 'w':
		return strconv.AppendInt(dst, int64(t.Weekday()), 10)
	case 'W': // weeks begin on Monday
		return padded(dst, (t.YearDay()+6-int(t.Weekday()+6)%7)/7, 2, '0')
	case 'y':
		return padded(dst, t.Year()%100, 2, '0')
	case 'Y':
		return strconv.AppendInt(dst, int64(t.Year()), 10)
	case 'z':
		return t.AppendFormat(dst, "-0700")
	case 'Z':
		return t.AppendFormat(dst, "MST")
	case '%':
		return append(dst, '%')
	}
	return append(dst, '%', letter)
}

// padded appends n with at least width characters.
func padded(dst []byte, n, width int, with byte) []byte {
	for w := 10; width > 1; w, width = w*10, width-1 {
		if n < w {
			dst = append(dst, with)
		}
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
