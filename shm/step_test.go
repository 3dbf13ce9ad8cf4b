package shm

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// TestKill hits instants that last; the stores that matter are nanoseconds apart. So here a process
// works under ptrace, and after each of its instructions the arena as kill -9 would leave it is
// copied, recovered and compared with a plain model: it must be the state before the step at hand
// or the one after it, and nothing between.

const (
	stepEnv   = "VIADUCT_SHM_STEPPED"
	stepBytes = 2 << 20 // 7 chunks: they are taken and given back all the time

	// Counters by which the two processes talk.
	counterDone = 0 // steps finished
	counterGo   = 1
	counterTID  = 2
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(victimEnv) != "":
		victim(os.Getenv(victimEnv))
	case os.Getenv(stepEnv) != "":
		stepped()
	}
	os.Exit(m.Run())
}

// stepWorker is the same in the process that is stepped and in the model.
func stepWorker(a *Arena, seed uint64) *worker {
	w := newWorker(a, 0, rand.New(rand.NewPCG(seed, seed)), 4)
	rooms := [...]int{40, 40, 100, 700, 100_000, 300_000}
	w.body = func(rng *rand.Rand) (n, room int) { return 1 + rng.IntN(24), rooms[rng.IntN(len(rooms))] }
	return w
}

func stepped() {
	debug.SetGCPercent(-1)
	time.AfterFunc(30*time.Second, func() { os.Exit(1) })
	a, err := AttachFile(os.NewFile(3, "arena"), testLayout)
	if err == nil {
		_, err = a.Recover(nil)
	}
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	seed, _ := strconv.ParseUint(os.Getenv(stepEnv), 10, 64)
	w, c := stepWorker(a, seed), a.Counters(0)
	// One processor, and the goroutine not locked to its thread: so when the scheduler, after what
	// looks like 10 ms of running, asks it to yield, it goes on at once and on the same thread.
	runtime.GOMAXPROCS(1)
	atomic.StoreUint64(&c[counterTID], uint64(unix.Gettid()))
	for atomic.LoadUint64(&c[counterGo]) == 0 {
	}
	for {
		w.step()
		atomic.AddUint64(&c[counterDone], 1)
	}
}

// digest is the abstract state: which calls there are, in which version. The order does not matter.
func digest(a *Arena) (sum uint64) {
	a.Slab(0).Walk(func(off Off, h *Header) bool {
		if h.Kind == kindCall {
			c := Ptr[testCall](a, off)
			sum += xxhash.Sum64String(strconv.FormatUint(c.ID, 16) + "/" +
				strconv.FormatUint(c.State.now().Version, 16))
		}
		return true
	})
	return sum
}

func TestEveryInstruction(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector the instructions are others")
	}
	a, err := Create(Config{Bytes: stepBytes, Shards: 1, Layout: testLayout})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	model, err := Create(Config{Bytes: stepBytes, Shards: 1, Layout: testLayout})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	dirty(a)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tracer := startStepped(t, a, seed)
	plain := stepWorker(model, seed)
	states := []uint64{digest(model)} // after 0, 1, … steps

	live := a.back.slice()[:stepBytes]
	copied := newCopy(t)
	last := make([]byte, stepBytes)
	parts := hotParts(a)
	same := func(whole bool) bool {
		if whole {
			return bytes.Equal(live, last)
		}
		for _, p := range parts {
			if !bytes.Equal(live[p[0]:p[1]], last[p[0]:p[1]]) {
				return false
			}
		}
		return true
	}
	var sum Recovered
	instructions, snapshots := 0, 0
	enough := func() bool { return snapshots >= 100 && sum.Unpublished > 0 && sum.Orphaned > 0 && sum.Unheld > 0 }
	for start := time.Now(); time.Since(start) < 3*time.Second || (!enough() &&
		time.Since(start) < time.Minute); instructions++ {
		if err := tracer.step(); err != nil {
			t.Fatalf("after %d instructions: %v", instructions, err)
		}
		if same(instructions%256 == 0) {
			continue
		}
		copy(last, live)
		snapshots++
		copy(copied.back.slice(), live)
		done := int(copied.Counters(0)[counterDone])
		for len(states) < done+2 {
			plain.step()
			states = append(states, digest(model))
		}
		r, err := reopen(copied)
		if err != nil {
			t.Fatalf("after %d instructions, in step %d: %v", instructions, done, err)
		}
		if d := digest(copied); d != states[done] && d != states[done+1] {
			t.Fatalf("after %d instructions, in step %d: neither the state before nor the one after; %s", instructions,
				done, r)
		}
		if err := emptyOut(copied); err != nil {
			t.Fatalf("after %d instructions, in step %d: %v; %s", instructions, done, err, r)
		}
		sum.Unpublished += r.Unpublished
		sum.Orphaned += r.Orphaned
		sum.Unheld += r.Unheld
		sum.Chunks += r.Chunks
	}
	t.Logf("%d instructions, %d different arenas, %d steps; reclaimed: %s", instructions, snapshots, len(states)-2, sum)
	if !enough() {
		t.Error("the steps hit nothing: the test proves nothing")
	}
}

// dirty makes all free memory look like live records, for memory that was never used may hold
// anything.
func dirty(a *Arena) {
	for off := a.firstOff; off-a.firstOff < a.spanOff; off++ {
		*a.header(Off(off)) = Header{State: StateLive, Kind: kindCall, Class: uint8(off) % numClasses}
	}
}

// hotParts is where the work of so few calls changes the arena. To look everywhere after each
// instruction takes so long that the kernel's clock, read without system call, changes under each
// reading and the stepped process never gets past one.
func hotParts(a *Arena) (parts [][2]int64) {
	parts = append(parts, [2]int64{0, a.g.mailAt},
		[2]int64{a.g.chunkAt, a.g.chunkAt + int64(a.g.chunks)*int64(chunkDescBytes)})
	for i := range int64(a.g.chunks) {
		at := a.g.firstAt + i*chunkBytes
		parts = append(parts, [2]int64{at, at + 4096}, [2]int64{at + maxClassBytes, at + maxClassBytes + 1024})
	}
	return parts
}

// newCopy is room for a copy of the arena, with no file behind it.
func newCopy(t *testing.T) *Arena {
	t.Helper()
	a, err := Create(Config{Bytes: stepBytes, Shards: 1, Layout: testLayout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// reopen attaches what was copied under a, as the next process would.
func reopen(a *Arena) (Recovered, error) {
	g, err := checkHeader(a.head, a.back.bytes, testLayout)
	if err != nil {
		return Recovered{}, err
	}
	bells := a.bells
	*a = *newArena(g, a.back)
	a.bells = bells
	r, err := a.Recover(holds(a))
	if err == nil {
		_, err = check(a)
	}
	return r, err
}

// tracer single-steps one thread of another process. It must stay on one thread of ours.
type tracer struct{ tid int }

func startStepped(t *testing.T, a *Arena, seed uint64) *tracer {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	fd, err := unix.FcntlInt(a.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "arena")
	defer f.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", stepEnv, seed), "GODEBUG=asyncpreemptoff=1")
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := a.Counters(0)
	for start := time.Now(); atomic.LoadUint64(&c[counterTID]) == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the process to be stepped did not come up")
		}
	}
	tr := &tracer{tid: int(atomic.LoadUint64(&c[counterTID]))}
	if err := unix.PtraceSeize(tr.tid); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skip("this sandbox forbids ptrace; TestKill covers what it can")
		}
		t.Fatal(err)
	}
	if err := unix.PtraceInterrupt(tr.tid); err != nil {
		t.Fatal(err)
	}
	if err := tr.wait(); err != nil {
		t.Fatal(err)
	}
	atomic.StoreUint64(&c[counterGo], 1)
	return tr
}

func (tr *tracer) step() error {
	if err := unix.PtraceSingleStep(tr.tid); err != nil {
		return err
	}
	return tr.wait()
}

func (tr *tracer) wait() error {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(tr.tid, &ws, unix.WALL, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case !ws.Stopped():
			return fmt.Errorf("it ended: %#x", ws)
		}
		return nil
	}
}
