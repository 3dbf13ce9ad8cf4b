package table

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
	"unsafe"

	"golang.org/x/sys/unix"

	"viaduct/shm"
)

// TestKill hits instants that last; the stores that matter are nanoseconds apart. So here a process
// works under ptrace, and after each of its instructions the arena as kill -9 would leave it is
// copied, taken over and compared with a map: it must hold what it held before the operation at
// hand or what it holds after it, and nothing between.

const (
	stepEnv   = "VIADUCT_TABLE_STEPPED"
	stepBytes = 2 << 20
	stepKeys  = 12

	// Counters by which the two processes talk.
	counterDone = 0 // operations finished
	counterGo   = 1
	counterTID  = 2
)

// stepConfig has room for a page of each class that is used, and for fewer entries than there are
// keys.
func stepConfig() Config {
	return Config{Entries: 9, Bytes: 16 * pageBytes, MaxKey: 100, MaxValue: proofMax}
}

// stepValue is what a key may be given; made before the steps begin, for they are for the table.
type stepValue struct {
	key  []byte
	v    Value
	ends int64
}

var stepValues = func() (all [stepKeys][30]stepValue) {
	for i := range all {
		for seed := range all[i] {
			v, ends := proofValue(uint32(i), uint32(seed), nil)
			all[i][seed] = stepValue{proofKey(uint32(i), nil), v, ends}
		}
	}
	return all
}()

// both does the same operation on the process that is stepped and on the map of the other; either
// may be nil.
func both(t *Table, p *plain, rng *rand.Rand) {
	pick := &stepValues[rng.Uint32N(stepKeys)][rng.Uint32N(30)]
	key, v, c := pick.key, pick.v, Terms{Ends: pick.ends}
	old := &stepValues[rng.Uint32N(stepKeys)][rng.Uint32N(30)].v // what a comparison is made with
	op := rng.IntN(14)
	if t != nil {
		switch op {
		case 8:
			t.Insert(key, v, c, 0)
		case 9:
			t.SetDeadline(key, c.Ends, 0)
		case 10:
			t.CompareAndPut(key, *old, v, c, 0)
		case 11:
			t.CompareAndDelete(key, *old, 0)
		case 12:
			t.Create(key, 1, 3, c, 0)
		case 13:
			if rng.IntN(4) == 0 {
				t.Clear()
			}
		case 5:
			t.Add(key, 3, c, 0)
		case 6:
			t.Delete(key, 0)
		case 7:
			for done := false; !done; {
				_, done = t.Expire(3000, 100, nil)
			}
		default:
			t.Put(key, v, c, 0)
		}
		return
	}
	there, live := p.at(string(key), 0)
	equal := live && there.Kind == old.Kind && there.Int == old.Int && bytes.Equal(there.Text, old.Text)
	switch op {
	case 8:
		if !live {
			p.put(string(key), v, c, 0)
		}
	case 9:
		if live {
			there.Ends = c.Ends
			p.all[string(key)] = there
		}
	case 10:
		if equal {
			p.put(string(key), v, c, 0)
		}
	case 11:
		if equal {
			delete(p.all, string(key))
		}
	case 12:
		switch {
		case !live:
			p.put(string(key), Number(4), c, 0)
		case there.Kind == Int:
			p.put(string(key), Number(there.Int+3), c, 0)
		}
	case 13:
		if rng.IntN(4) == 0 {
			clear(p.all)
		}
	case 5:
		if live && there.Kind == Int {
			p.put(string(key), Number(there.Int+3), c, 0)
		}
	case 6:
		delete(p.all, string(key))
	case 7:
		for key, v := range p.all {
			if v.Ends <= 3000 {
				delete(p.all, key)
			}
		}
	default:
		p.put(string(key), v, c, 0)
	}
}

func stepped() {
	debug.SetGCPercent(-1)
	time.AfterFunc(40*time.Second, func() { os.Exit(1) })
	a, table, err := takeOver(os.NewFile(3, "arena"))
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	seed, _ := strconv.ParseUint(os.Getenv(stepEnv), 10, 64)
	rng, c := rand.New(rand.NewPCG(seed, seed)), a.Counters(0)
	// One processor, and the goroutine not locked to its thread: so when the scheduler, after what
	// looks like 10 ms of running, asks it to yield, it goes on at once and on the same thread.
	runtime.GOMAXPROCS(1)
	atomic.StoreUint64(&c[counterTID], uint64(unix.Gettid()))
	for atomic.LoadUint64(&c[counterGo]) == 0 {
	}
	for {
		both(table, nil, rng)
		atomic.AddUint64(&c[counterDone], 1)
	}
}

func takeOver(f *os.File) (*shm.Arena, *Table, error) {
	a, err := shm.AttachFile(f, 0)
	if err != nil {
		return nil, nil, err
	}
	if _, err = a.Recover(nil); err != nil {
		return a, nil, err
	}
	d, err := Open(a)
	if err != nil {
		return a, nil, err
	}
	table, err := d.Table("test", stepConfig())
	if err == nil && table.Origin() != Kept {
		err = errors.New(string(table.Origin()))
	}
	return a, table, err
}

// mapped is an arena's file as bytes.
func mapped(t *testing.T, a *shm.Arena) []byte {
	t.Helper()
	b, err := unix.Mmap(int(a.File().Fd()), 0, stepBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

func TestEveryInstruction(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector the instructions are others")
	}
	a := testArena(t, stepBytes)
	live := mapped(t, a)
	table, err := open(t, a).Table("test", stepConfig())
	if err != nil {
		t.Fatal(err)
	}
	// All free memory looks like records in use, for memory that was never used may hold anything.
	for i := range table.root.Pages {
		n := pageNumber(i)
		for unit := range uint32(pageBytes / linkUnit) {
			*table.at(n*(pageBytes/linkUnit) + unit) = record{life: lifeOf(never, 0, Text), size: sizeOf(0, 4, 4)}
		}
	}
	parts := hotParts(a, table)
	copied := testArena(t, stepBytes)
	image := mapped(t, copied)
	last := make([]byte, stepBytes)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tracer := startStepped(t, a, seed)
	oracle, rng := &plain{all: map[string]Value{}, room: stepConfig().Entries}, rand.New(rand.NewPCG(seed, seed))
	// after operation of, and the one after it
	next, of := &plain{all: map[string]Value{}, room: stepConfig().Entries}, -1

	changed := func(whole bool) bool {
		if whole {
			return !bytes.Equal(live, last)
		}
		for _, p := range parts {
			if !bytes.Equal(live[p[0]:p[1]], last[p[0]:p[1]]) {
				return true
			}
		}
		return false
	}
	instructions, snapshots := 0, 0
	start := time.Now()
	more := func() bool {
		if snapshots < 300 || of < 20 {
			return time.Since(start) < 20*time.Second
		}
		return time.Since(start) < 4*time.Second
	}
	for ; more(); instructions++ {
		if err := tracer.step(); err != nil {
			t.Fatalf("after %d instructions: %v", instructions, err)
		}
		if !changed(instructions%256 == 0) {
			continue
		}
		copy(last, live)
		copy(image, live)
		snapshots++
		done := int(copied.Counters(0)[counterDone])
		for of < done {
			oracle.all = map[string]Value{}
			for k, v := range next.all {
				oracle.all[k] = v
			}
			both(nil, next, rng)
			of++
		}
		b, taken, err := takeOver(dup(t, copied.File()))
		if err == nil {
			err = books(taken)
		}
		if err != nil {
			t.Fatalf("after %d instructions, in operation %d: %v", instructions, done, err)
		}
		if before, after := oracle.compare(taken, 0), next.compare(taken, 0); before != nil && after != nil &&
			!between(taken, oracle, next) {
			t.Fatalf("after %d instructions, in operation %d: neither the state before (%v) nor the one after (%v)",
				instructions, done, before, after)
		}
		b.Close()
	}
	t.Logf("%d instructions, %d different arenas, %d operations", instructions, snapshots, of)
	if snapshots < 20 || of < 1 {
		t.Error("the steps hit nothing: the test proves nothing")
	}
	if snapshots < 100 || of < 10 {
		t.Skipf("too few steps in the time there was: %d arenas, %d operations", snapshots, of)
	}
}

// between tells whether the table is as an operation leaves it that takes entries out one by one:
// some of those it takes out are gone.
func between(taken *Table, before, after *plain) bool {
	var out []string
	for k := range before.all {
		if _, stays := after.all[k]; !stays {
			out = append(out, k)
		}
	}
	if len(before.all)-len(out) != len(after.all) {
		return false // it does something else as well
	}
	for gone := range 1 << len(out) {
		some := &plain{all: map[string]Value{}, room: before.room}
		for k, v := range before.all {
			some.all[k] = v
		}
		for i, k := range out {
			if gone>>i&1 != 0 {
				delete(some.all, k)
			}
		}
		if some.compare(taken, 0) == nil {
			return true
		}
	}
	return false
}

// hotParts is where work on so few entries changes the arena. To look everywhere after each
// instruction takes so long that the kernel's clock, read without system call, changes under each
// reading and the stepped process never gets past one.
func hotParts(a *shm.Arena, table *Table) (parts [][2]int) {
	base := uintptr(unsafe.Pointer(a.Counters(0))) - 4096 // behind the header's page
	add := func(p unsafe.Pointer, n uintptr) {
		at := int(uintptr(p) - base)
		parts = append(parts, [2]int{at, at + int(n)})
	}
	add(unsafe.Pointer(a.Counters(0)), 64)
	add(unsafe.Pointer(table.root),
		unsafe.Offsetof(table.root.stripes)+uintptr(table.root.Stripes)*unsafe.Sizeof(stripe{}))
	add(table.buckets[0], uintptr(table.root.Buckets)*8)
	add(table.regions[0], 64+uintptr(table.root.Pages)*unsafe.Sizeof(page{}))
	for i := range table.root.Pages {
		add(unsafe.Pointer(table.at(pageNumber(i)*(pageBytes/linkUnit))), 4096)
	}
	return parts
}

// tracer single-steps one thread of another process. It must stay on one thread of ours.
type tracer struct{ tid int }

func startStepped(t *testing.T, a *shm.Arena, seed uint64) *tracer {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	f := dup(t, a.File())
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
