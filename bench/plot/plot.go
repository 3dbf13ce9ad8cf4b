// Package plot stands beside the packet's path, on the bench: it draws bar charts as SVG that are
// readable on light and dark pages.
//
// It knows one chart, horizontal bars with the spread of their measurements, because that is what a
// comparison of servers needs. Colours follow the reader's colour scheme through a media query
// inside the file, which also holds when the file is shown as an image.
package plot

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Bar is one measured thing.
type Bar struct {
	Name string
	// Min, Median and Max are in the chart's unit. The bar is drawn to Median, the spread from Min
	// to Max.
	Min, Median, Max float64
	// Group colours bars that belong together, 0 to 3.
	Group int
}

// Chart is a set of bars with one unit.
type Chart struct {
	Title string
	// Unit stands behind the title, Note below it.
	Unit, Note string
	Bars       []Bar
	// Digits is the number of decimals printed with each bar.
	Digits int
}

const (
	width       = 760
	left        = 220 // names
	right       = 96  // figures
	top         = 64
	rowHeight   = 30
	barHeight   = 16
	bottom      = 34
	groupCount  = 4
	gridLines   = 5
	nameCharMax = 32 // what fits into left at 13 px
)

const style = `
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 }
.small { font-size: 12px; fill: #57606a }
.grid { stroke: #d0d7de; stroke-width: 1 }
.spread { stroke: #24292f; stroke-width: 1.5 }
.g0 { fill: #8c959f } .g1 { fill: #0969da } .g2 { fill: #1a7f37 } .g3 { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.small { fill: #9198a1 }
.grid { stroke: #3d444d }
.spread { stroke: #e6edf3 }
.g0 { fill: #7d8590 } .g1 { fill: #4493f8 } .g2 { fill: #3fb950 } .g3 { fill: #d29922 }
}
`

// Write draws the chart. An empty chart is an error, as is a bar whose figures are not in order.
func (c *Chart) Write(out io.Writer) error {
	if len(c.Bars) == 0 {
		return fmt.Errorf("chart %q has no bars", c.Title)
	}
	most := 0.0
	for _, b := range c.Bars {
		if !(0 <= b.Min && b.Min <= b.Median && b.Median <= b.Max) || math.IsInf(b.Max, 0) {
			return fmt.Errorf("bar %q of chart %q: %g, %g, %g are not in order", b.Name, c.Title,
				b.Min, b.Median, b.Max)
		}
		most = max(most, b.Max)
	}
	step := niceStep(most / gridLines)
	end := math.Ceil(most/step) * step
	if end == 0 {
		end, step = 1, 1
	}
	x := func(v float64) float64 { return left + v/end*(width-left-right) }
	height := top + len(c.Bars)*rowHeight + bottom

	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" `+
		`height="%d" role="img" aria-label="%s">`,
		width, height, width, height, escape(c.Title))
	fmt.Fprintf(&s, "\n<title>%s</title>\n<style>%s</style>\n", escape(c.Title), style)
	fmt.Fprintf(&s, `<text class="title" x="12" y="24">%s <tspan class="small">%s</tspan></text>`+
		"\n", escape(c.Title), escape(c.Unit))
	if c.Note != "" {
		fmt.Fprintf(&s, `<text class="small" x="12" y="44">%s</text>`+"\n", escape(c.Note))
	}
	base := top + len(c.Bars)*rowHeight
	for v := 0.0; v <= end+step/2; v += step {
		fmt.Fprintf(&s, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, x(v), top-6,
			x(v), base)
		fmt.Fprintf(&s, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x(v), base+18, figure(v, stepDigits(step)))
	}
	for i, b := range c.Bars {
		y := top + i*rowHeight + (rowHeight-barHeight)/2
		middle := float64(y) + barHeight/2
		fmt.Fprintf(&s, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`, left-10, middle+4.5,
			escape(shorten(b.Name)))
		fmt.Fprintf(&s, `<rect class="g%d" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`,
			b.Group%groupCount, left, y, x(b.Median)-left, barHeight)
		if b.Max > b.Min {
			fmt.Fprintf(&s, `<path class="spread" fill="none" d="M%.1f %.1fv8m0-4H%.1fm0-4v8"/>`,
				x(b.Min), middle-4, x(b.Max))
		}
		fmt.Fprintf(&s, `<text x="%.1f" y="%.1f">%s</text>`+"\n", x(b.Max)+8, middle+4.5,
			figure(b.Median, c.Digits))
	}
	s.WriteString("</svg>\n")
	_, err := io.WriteString(out, s.String())
	return err
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func stepDigits(step float64) int {
	return max(0, int(-math.Floor(math.Log10(step)+1e-9)))
}

// figure prints v with thousands set apart, as tables do.
func figure(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	var s strings.Builder
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			s.WriteByte(',')
		}
		s.WriteRune(r)
	}
	if fraction != "" {
		s.WriteString("." + fraction)
	}
	return s.String()
}

func shorten(name string) string {
	r := []rune(name)
	if len(r) > nameCharMax {
		return string(r[:nameCharMax-1]) + "…"
	}
	return name
}

func escape(text string) string {
	var s strings.Builder
	_ = xml.EscapeText(&s, []byte(text)) // a strings.Builder takes everything
	return s.String()
}
