package shm

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backing is the memory under an arena.
type backing struct {
	base    unsafe.Pointer // start of the arena, huge-page aligned where we choose
	bytes   int64          // length of the mapping at base, at least the arena
	file    *os.File       // nil means SysV
	name    string         // for people
	hugetlb bool           // pages come from the hugetlb pool
	segment []byte         // SysV only
	// reserved is the address range around base, unmapped as a whole by close. The slack before and
	// behind has no access, so running off either end faults instead of meeting a stranger.
	reserved unsafe.Pointer
	slack    int64
}

// source makes a backing of some bytes, zero throughout.
type source func(bytes int64) (backing, error)

// errNextSource marks errors after which another source may do.
var errNextSource = errors.New("next source")

// defaultSources is the order of C4: memory file, file on /dev/shm, SysV segment.
func defaultSources(c Config) []source {
	if c.Path != "" {
		return []source{func(n int64) (backing, error) { return fromPath(c.Path, n) }}
	}
	s := []source{fromMemfd, fromDevShm, fromSysV}
	if c.HugePages == HugeTry {
		s = append([]source{fromHugetlb}, s...)
	}
	return s
}

// open tries the sources in turn. An error of the last one tried, or one that no other source would
// cure, is returned.
func open(from []source, bytes int64) (backing, error) {
	var err error
	for _, s := range from {
		var b backing
		if b, err = s(bytes); err == nil || !errors.Is(err, errNextSource) {
			return b, err
		}
	}
	return backing{}, err
}

// fromMemfd makes an unnamed memory file (Linux 3.17). Sealed, so that nobody with the descriptor
// can shrink it under us, which would turn loads into SIGBUS.
func fromMemfd(bytes int64) (backing, error) {
	// MFD_NOEXEC_SEAL (Linux 6.3) also spares a warning in the kernel log.
	fd, err := unix.MemfdCreate("viaduct", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("viaduct", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return backing{}, fmt.Errorf("cannot make a memfd (Linux 3.17): %w: %w", err, errNextSource)
	}
	return mapNew(os.NewFile(uintptr(fd), "memfd:viaduct"), bytes, "memfd", false)
}

// fromHugetlb makes one of pages from the hugetlb pool (Linux 4.14), if it has enough of them.
func fromHugetlb(bytes int64) (backing, error) {
	fd, err := unix.MemfdCreate("viaduct",
		unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_HUGETLB|unix.MFD_HUGE_2MB)
	if err != nil {
		return backing{}, fmt.Errorf("cannot make a huge page memfd (Linux 4.14): %w: %w", err,
			errNextSource)
	}
	b, err := mapNew(os.NewFile(uintptr(fd), "memfd:viaduct"), up(bytes, hugeBytes),
		"memfd of the hugetlb pool", true)
	if err != nil {
		return backing{}, fmt.Errorf("%w: %w", err, errNextSource)
	}
	return b, nil
}

// fromDevShm makes a file in /dev/shm and unlinks it at once: for kernels and sandboxes without
// memfd_create.
func fromDevShm(bytes int64) (backing, error) {
	f, err := os.CreateTemp("/dev/shm", "viaduct-")
	if err != nil {
		return backing{}, fmt.Errorf("cannot make a file in /dev/shm: %w: %w", err, errNextSource)
	}
	_ = os.Remove(f.Name()) // only its descriptor counts
	b, err := mapNew(f, bytes, "unlinked file in /dev/shm", false)
	if err != nil {
		return backing{}, fmt.Errorf("%w: %w", err, errNextSource)
	}
	return b, nil
}

// fromPath makes a file that stays.
func fromPath(path string, bytes int64) (backing, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return backing{}, fmt.Errorf("cannot make arena %s: it exists; attach it, or remove it "+
			"if no process needs it", path)
	}
	if err != nil {
		return backing{}, fmt.Errorf("cannot make arena %s: %w", path, err)
	}
	b, err := mapNew(f, bytes, path, false)
	if err == nil {
		if err = b.lockFile(); err != nil {
			_ = b.close()
		}
	}
	if err != nil {
		_ = os.Remove(path)
		return backing{}, err
	}
	return b, nil
}

// fromSysV makes a SysV segment, removed with its last user (IPC_RMID now): the last resort, which
// no other process attaches.
func fromSysV(bytes int64) (backing, error) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, int(bytes), unix.IPC_CREAT|0o700)
	if err != nil {
		return backing{}, fmt.Errorf("cannot make a SysV segment of %d MB: %w; mount /dev/shm, "+
			"or raise kernel.shmmax and kernel.shmall", bytes>>20, err)
	}
	seg, err := unix.SysvShmAttach(id, 0, 0)
	_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	if err != nil {
		return backing{}, fmt.Errorf("cannot attach a SysV segment of %d MB: %w; lower -m or "+
			"raise `ulimit -v`", bytes>>20, err)
	}
	// The kernel's mapping, len(seg) bytes, until SysvShmDetach.
	return backing{
		base: unsafe.Pointer(unsafe.SliceData(seg)), bytes: int64(len(seg)), name: "SysV segment",
		segment: seg,
	}, nil
}

// mapNew sizes a new file and maps it. It closes the file on error.
func mapNew(f *os.File, bytes int64, name string, hugetlb bool) (b backing, err error) {
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	fd := int(f.Fd())
	if err := unix.Ftruncate(fd, bytes); err != nil {
		return b, fmt.Errorf("cannot size the arena to %d MB: %w; lower -m or raise `ulimit -f`",
			bytes>>20, err)
	}
	// A tmpfs has a size limit of its own, and running into it later would be a SIGBUS: reserve the
	// pages now. A memfd has none, only the machine's memory.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS,
		unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		if err := unix.Fallocate(fd, 0, 0, bytes); err != nil {
			return b, fmt.Errorf("cannot get %d MB for %s: %w; lower -m, or enlarge it with "+
				"`mount -o remount,size=… /dev/shm`", bytes>>20, name, err)
		}
	}
	b, err = mapFile(f, bytes)
	b.name, b.hugetlb = name, hugetlb
	return b, err
}

// mapFile maps the whole of a file, shared, at a huge page boundary, between two stretches without
// access.
//
// The place is reserved, then given up and taken again by MAP_FIXED_NOREPLACE (Linux 4.17; older
// kernels take it for a wish). Plain MAP_FIXED over the reservation would do with one call less,
// but where it fails, as it does for a hugetlb pool without pages, Linux leaves a gap. Another
// thread, the Go runtime's too, may map memory there before the reservation can be unmapped, and
// would lose it.
func mapFile(f *os.File, bytes int64) (backing, error) {
	b := backing{bytes: bytes, file: f, slack: 2 * hugeBytes}
	err := error(unix.EEXIST)
	for tries := 0; tries < mapTries && errors.Is(err, unix.EEXIST); tries++ {
		b.base, b.reserved, err = mapBetween(int(f.Fd()), uintptr(bytes))
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return backing{}, fmt.Errorf("cannot map %d MB: other threads took the place %d times in "+
			"a row; start again", bytes>>20, mapTries)
	case err != nil:
		return backing{}, fmt.Errorf("cannot map %d MB: %w; lower -m, raise `ulimit -v`, or see "+
			"vm.overcommit_memory", bytes>>20, err)
	}
	return b, nil
}

// mapTries is how often another thread may map something into the place between giving it up and
// taking it: two system calls in a row.
const mapTries = 16

// What tests change: how the place is taken (0 is what a kernel before 4.17 makes of it: a wish),
// and what happens while it is given up.
var (
	mapAt      = unix.MAP_FIXED_NOREPLACE
	mapGivenUp func(at unsafe.Pointer)
)

// mapBetween is one try of mapFile. EEXIST: another thread has mapped something where the file was
// to be. After an error nothing of ours is mapped.
func mapBetween(fd int, bytes uintptr) (base, reserved unsafe.Pointer, err error) {
	r, err := unix.MmapPtr(-1, 0, nil, bytes+2*hugeBytes, unix.PROT_NONE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, err
	}
	before := hugeBytes - uintptr(r)%hugeBytes
	at, behind := unsafe.Add(r, before), unsafe.Add(r, before+bytes)
	if err = unix.MunmapPtr(at, bytes); err != nil {
		return nil, nil, errors.Join(err, unix.MunmapPtr(r, bytes+2*hugeBytes))
	}
	if mapGivenUp != nil {
		mapGivenUp(at)
	}
	got, err := unix.MmapPtr(fd, 0, at, bytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|mapAt)
	if err == nil && got == at {
		return at, r, nil
	}
	if err == nil {
		err = errors.Join(unix.EEXIST, unix.MunmapPtr(got, bytes))
	}
	return nil, nil, errors.Join(err, unix.MunmapPtr(r, before),
		unix.MunmapPtr(behind, 2*hugeBytes-before))
}

// slice views the mapping for system calls that want one. The mapping's memory, all of it, until
// close.
func (b *backing) slice() []byte { return unsafe.Slice((*byte)(b.base), b.bytes) }

// close gives all of it back.
func (b *backing) close() error {
	var err error
	switch {
	case b.segment != nil:
		err = unix.SysvShmDetach(b.segment)
	case b.reserved != nil:
		err = unix.MunmapPtr(b.reserved, uintptr(b.bytes+b.slack))
	}
	if b.file != nil {
		err = errors.Join(err, b.file.Close())
	}
	*b = backing{}
	return err
}
