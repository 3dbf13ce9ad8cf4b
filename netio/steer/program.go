package steer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -no-global-types -target bpfel steer steer.c -- -O2 -Wall -Werror -I/usr/include/x86_64-linux-gnu

// ErrNotSupported is wrapped by Load if the kernel is too old.
var ErrNotSupported = errors.New("not supported by this kernel")

// Counts are the kernel program's totals over all CPUs. Datagrams that are no SIP at all (their
// first byte is no letter) are in none of them.
type Counts struct {
	Steered uint64 // given to the owner's socket
	NoKey   uint64 // no Call-ID found that it understands: left to the kernel's choice by 4-tuple
	NoSlot  uint64 // the owner's slot was empty: left to the kernel's choice by 4-tuple
}

// Program is the kernel program of one listen address: its sockets, one per shard, are one
// SO_REUSEPORT group with one map. The kernel keeps the program for as long as the group has a
// socket, so Close after set-up takes nothing away but the counters.
//
// Its methods may be called from one goroutine at a time; Counts from any.
type Program struct {
	objects steerObjects
}

// Load brings a program for this number of shards (2 to MaxShards) into the kernel. It needs
// CAP_BPF now and nothing later. The error says what is missing.
func Load(shards int) (*Program, error) {
	if shards < 2 || shards > MaxShards {
		return nil, fmt.Errorf("steering is for 2 to %d shards, not %d", MaxShards, shards)
	}
	if release, old := kernelBefore(5, 17); old {
		return nil, fmt.Errorf("needs Linux 5.17 (bpf_loop), this is %s: %w", release,
			ErrNotSupported)
	}
	spec, err := loadSteer()
	if err != nil {
		return nil, fmt.Errorf("cannot read the steering program: %w", err)
	}
	if err := spec.Variables["shards"].Set(uint32(shards)); err != nil {
		return nil, fmt.Errorf("cannot set the number of shards in the steering program: %w", err)
	}
	p := &Program{}
	if err := spec.LoadAndAssign(&p.objects, nil); err != nil {
		return nil, explain(err)
	}
	return p, nil
}

// explain turns what bpf(2) said into what the operator can do. The text of the library suggests
// RLIMIT_MEMLOCK for EPERM, which kernels have not used since 5.11.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("needs CAP_BPF and, for full speed, CAP_PERFMON, both in the initial "+
			"user namespace: %w", unix.EPERM)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("needs the bpf system call, which this kernel or container does not "+
			"allow: %w", ErrNotSupported)
	}
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		return fmt.Errorf("the kernel's verifier refused the steering program: %w", err)
	}
	return fmt.Errorf("cannot load the steering program: %w", err)
}

// kernelBefore compares the running kernel's release with major.minor. A release it cannot read
// counts as new enough: loading will tell.
func kernelBefore(major, minor int) (release string, old bool) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", false
	}
	release = unix.ByteSliceToString(u.Release[:])
	var gotMajor, gotMinor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &gotMajor, &gotMinor); n < 2 {
		return release, false
	}
	return release, gotMajor < major || gotMajor == major && gotMinor < minor
}

// Attach makes the program choose among the SO_REUSEPORT group of the socket fd. On a socket that
// is not bound yet it takes effect with the bind, and sockets bound later inherit it: then no
// datagram ever arrives unsteered.
func (p *Program) Attach(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF,
		p.objects.Choose.FD()); err != nil {
		return fmt.Errorf("cannot attach the steering program: %w", err)
	}
	return nil
}

// SetSlot makes the bound socket fd the one of this shard, in place of the one before if there was.
// A socket sits in one slot of one map at most (EBUSY). When a socket is closed its slot empties
// itself.
func (p *Program) SetSlot(shard, fd int) error {
	if err := p.objects.Sockets.Put(uint32(shard), uint64(fd)); err != nil {
		return fmt.Errorf("cannot set slot %d of the steering map: %w", shard, err)
	}
	return nil
}

// Counts reads the totals. Each CPU's part is read while it may be counting, so the three need not
// be of the same instant.
func (p *Program) Counts() (Counts, error) {
	var perCPU []scratch
	var sum Counts
	if err := p.objects.Scratches.Lookup(uint32(0), &perCPU); err != nil {
		return sum, fmt.Errorf("cannot read the steering counters: %w", err)
	}
	for i := range perCPU {
		sum.Steered += perCPU[i].Steered
		sum.NoKey += perCPU[i].NoKey
		sum.NoSlot += perCPU[i].NoSlot
	}
	return sum, nil
}

// scratch is struct scratch of steer.c.
type scratch struct {
	Steered, NoKey, NoSlot uint64
	Zero, Slot             uint32
	Working                [10]uint64
	Buffer                 [searchedBytes + slackBytes]byte
}

// Close gives back the descriptors of the program and its maps.
func (p *Program) Close() error { return p.objects.Close() }
