package shard

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"viaduct/shard/ask"
)

// killedAt makes a hook that ends the process at its nth point in a run that had waited and goes on.
// Nothing of the process is undone or told: what the next one has is the arena.
func killedAt(n int) (point func(), reached *int) {
	points := 0
	return func() {
		if !goesOn() {
			return
		}
		if points++; points == n+1 {
			runtime.Goexit()
		}
	}, &points
}

// goesOn tells whether the caller is within a run that had waited.
func goesOn() bool {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		switch frame.Function[strings.LastIndexByte(frame.Function, '.')+1:] {
		case "goOn", "goOnBranch", "goOnReply":
			return true
		}
		if !more {
			return false
		}
	}
}

// mortal runs do in a goroutine that the hook of killedAt may end. It tells whether it was ended.
func mortal(do func()) (killed bool) {
	done := make(chan struct{})
	killed = true
	go func() {
		defer close(done)
		do()
		killed = false
	}()
	<-done
	return killed
}

// playKilled plays a story whose process may be killed. What it was at is done again by the next
// process: the rest of the time passes, and who is asked again answers again.
func (f *flow) playKilled(a *txtar.Archive) {
	f.lenient = true
	for _, s := range a.Files {
		kind, rest, _ := strings.Cut(s.Name, " ")
		switch kind {
		case "config", "targets", "names", "silence", "logged", "out":
			continue
		}
		for {
			if _, _, ok := f.next(); !ok {
				break
			}
		}
		if kind == "answer" && !f.possible(s.Name) {
			f.wait(time.Second) // what it answers was about to be sent, and is by its timer
		}
		if !f.possible(s.Name) || strings.Contains(string(s.Data), "{B") && !f.knows(string(s.Data)) {
			continue
		}
		var texts []string // of the questions that are open
		for _, q := range f.service.asked {
			texts = append(texts, string(q.Text()))
		}
		began := f.now
		if !mortal(func() { f.step(s.Name, string(s.Data)) }) {
			continue
		}
		f.Abandon()
		f.held, f.failures = nil, nil
		f.restart("")
		switch kind {
		case "wait":
			d, err := time.ParseDuration(rest)
			if err != nil {
				f.t.Fatal(err)
			}
			f.wait(time.Duration(began + int64(d) - f.now))
		case "answered":
			f.askedAgain(texts)
			if again := f.service.asked; len(again) > 0 && string(again[0].Text()) == texts[0] {
				f.step(s.Name, "")
			}
		}
	}
}

// askedAgain puts the questions of the next process into the order of those before, by their texts.
func (f *flow) askedAgain(texts []string) {
	asked := f.service.asked
	place := func(text []byte) int {
		if i := slices.Index(texts, string(text)); i >= 0 {
			return i
		}
		return len(texts)
	}
	slices.SortStableFunc(asked, func(a, b *ask.Question) int { return place(a.Text()) - place(b.Text()) })
}

// waiting finds the programs that may wait.
var waiting = regexp.MustCompile(`\b(ask|u?sleep|async_\w+|t_suspend)\(`)

// TestFlowsKilledWhileARunGoesOn kills the process at each point of each run that had waited: behind
// a sleep, an answer, or a time that was over. The next one goes on with it, and every caller hears
// a final response.
func TestFlowsKilledWhileARunGoesOn(t *testing.T) {
	kills := 0
	eachFlow(t, func(t *testing.T, a *txtar.Archive) {
		if slices.ContainsFunc(a.Files, func(s txtar.File) bool { return s.Name == "reload" }) {
			return // the next process has one program
		}
		config, _, _ := flowFiles(t, a)
		if !waiting.MatchString(config) {
			return
		}
		f := equipped(t, a)
		want := f.wanted(a)
		for n := 0; ; n++ {
			f.again(a)
			point, reached := killedAt(n)
			f.point = point
			f.playKilled(a)
			f.point = nil
			f.endsClean()
			f.checkWire(true, "", want)
			if t.Failed() {
				t.Fatalf("the flow whose process was killed at point %d", n)
			}
			if *reached <= n {
				break
			}
			kills++
		}
	})
	if kills == 0 {
		t.Error("no run goes on")
	}
	t.Logf("%d kills", kills)
}
