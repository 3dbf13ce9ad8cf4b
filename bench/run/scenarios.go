package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"viaduct/bench/traffic"
)

// scenario is one question that the bench answers.
type scenario struct {
	name, about string
	run         func(context.Context, *bench, *Results) error
}

// scenarios in the order they run; set at start-up because the command line's check reads it from
// within them.
var scenarios []scenario

func init() {
	scenarios = []scenario{
		{"saturation", "calls per second with 128 calls always under way, and CPU per call",
			saturation},
		{"single", "the same with a generator that sends each datagram by itself", single},
		{"fixed", "CPU per call and latency at 4,000 calls/s", fixed},
		{"language", "stock, header-editing and table-counting scripts: calls per second and " +
			"CPU per call", language},
		{"tables", "a table of a million entries: what look-ups, writers and entries that end " +
			"cost, and to take it over", tables},
		{"wait", "100,000 calls that wait at once: what calls beside them notice, and memory and " +
			"CPU of each", waiting},
		{"reload", "100 reloads in a minute, half of them broken: what calls notice, and a reload " +
			"of a large file", reloads},
		{"keepalive", "OPTIONS answered by the server, 128 always under way", keepalive},
		{"shards", "1, 2, 4 and 8 shards, server and load sharing two processors", shards},
		{"spread", "one source port against four shards: the busiest shard and the mean",
			spreadOnePort},
		{"hold", "a million INVITE transactions held open: memory before, held and after", hold},
		{"loss", "80 % of saturation for a minute: nothing lost, nothing sent twice", loss},
		{"overload", "1.5 times saturation for 20 s: how many calls still succeed", overload},
		{"tcp", "the call over TCP: calls per second, CPU per call at saturation and at a " +
			"fixed rate", overTCP},
		{"tls", "the same over TLS", overTLS},
		{"stop", "one of eight destinations stopped under load: what the calls to the others " +
			"notice", stopDestination},
		{"rest", "two shards without traffic: the CPU they use all the same", rest},
		{"idle", "100,000 idle TCP connections: memory, and what calls on others notice", idle},
		{"stuck", "a peer that never reads, TLS handshakes, no descriptor left: what the others' " +
			"calls notice", stuck},
	}
}

// errAbsent is a scenario whose contenders are not installed, or not chosen: left out and reported,
// not failed.
var errAbsent = errors.New("none of its contenders is here")

// errSame is a comparison that would repeat another one: left out as well.
var errSame = errors.New("the generator bundles nothing, so it would be saturation again")

func findScenario(name string) *scenario {
	for i := range scenarios {
		if scenarios[i].name == name {
			return &scenarios[i]
		}
	}
	return nil
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// times are the lengths of one run.
func (b *bench) times(c contender, steady bool) (warmup, measure time.Duration) {
	switch {
	case b.cfg.Quick:
		return 500 * time.Millisecond, 1500 * time.Millisecond
	case c.kind == kindForwarder || c.cfg == "stateless.cfg":
		return plainWarmup, window
	case steady && c.kind == kindViaduct:
		return steadyWarmup, window
	}
	return statefulWarmup, window
}

// bundled lets the generator cut up its sends in the kernel, if that is wanted.
func (b *bench) bundled(args ...string) []string {
	if b.cfg.Segment {
		args = append(args, "-segment")
	}
	return args
}

func saturation(ctx context.Context, b *bench, r *Results) error {
	args := b.bundled("-concurrent", strconv.Itoa(callsUnderWay)) // all of this field is UDP
	c, err := b.compare(ctx, "saturation", b.field(), serverOptions{steady: true}, args)
	r.Saturation = c
	return err
}

// single is saturation without bundles: what peers across a network are like. Where the generator
// may not bundle anyway it is left out.
func single(ctx context.Context, b *bench, r *Results) error {
	if !b.cfg.Segment {
		return errSame
	}
	c, err := b.compare(ctx, "single",
		b.field("forwarder", "viaduct-stateless", "kamailio-lb", "viaduct-lb"),
		serverOptions{steady: true}, []string{"-concurrent", strconv.Itoa(callsUnderWay)})
	r.Single = c
	return err
}

func fixed(ctx context.Context, b *bench, r *Results) error {
	c, err := b.compare(ctx, "fixed", b.field(), serverOptions{},
		[]string{"-rate", strconv.Itoa(fixedRate)})
	r.Fixed = c
	return err
}

func keepalive(ctx context.Context, b *bench, r *Results) error {
	c, err := b.compare(ctx, "keepalive", b.field("kamailio-lb", "viaduct-lb"), serverOptions{},
		[]string{"-mode", "options", "-concurrent", strconv.Itoa(callsUnderWay)})
	r.Keepalive = c
	return err
}

// compare measures the field in rounds, each contender once per round, so that a change of the
// machine's speed meets all of them.
func (b *bench) compare(ctx context.Context, name string, field []contender, o serverOptions,
	args []string) (*Comparison, error) {
	if len(field) == 0 {
		return nil, errAbsent
	}
	c := &Comparison{Args: args}
	for range field {
		c.Rows = append(c.Rows, Row{})
	}
	for round := range b.cfg.Rounds {
		for i, contender := range field {
			c.Rows[i].Key, c.Rows[i].Name, c.Rows[i].Group = contender.key, contender.name,
				contender.group
			out, err := b.measureUndisturbed(ctx, contender, o, args)
			if err != nil {
				return nil, err
			}
			c.Rows[i].Runs = append(c.Rows[i].Runs, out)
			b.say("%s round %d/%d  %-30s %s", name, round+1, b.cfg.Rounds, contender.name,
				brief(&out))
		}
	}
	return c, nil
}

func brief(o *traffic.Outcome) string {
	note := ""
	if o.Disturbed() {
		note = "  DISTURBED by other work on these processors"
	}
	return fmt.Sprintf("%8.0f calls/s  %6.1f µs CPU/call (%3.0f %%)  180 p99 %6.0f µs  failed %d "+
		"lost %d resent %d swapped %d", o.CallsPerSecond,
		o.ServerCPUUsPerCall, 100*o.ServerCPUShare, o.Ringing.P99Us,
		o.Failed+o.Abandoned+o.Unfinished, o.Lost, o.Retransmitted, o.Faults["swapped"]) + note
}

// measureUndisturbed measures again, a few times, when others had part of the processors.
func (b *bench) measureUndisturbed(ctx context.Context, c contender, o serverOptions,
	args []string) (out traffic.Outcome, err error) {
	tries := disturbedTries
	if b.cfg.Quick {
		tries = 1
	}
	for range tries {
		out, err = b.measure(ctx, c, o, args)
		if err != nil || !out.Disturbed() {
			return out, err
		}
	}
	return out, nil
}

// measure starts a server, runs the load once and stops the server.
func (b *bench) measure(ctx context.Context, c contender, o serverOptions,
	args []string) (traffic.Outcome, error) {
	s, err := b.start(ctx, c, o)
	if err != nil {
		return traffic.Outcome{}, err
	}
	defer s.stop()
	warmup, measure := b.times(c, o.steady)
	out, err := b.runLoad(ctx, warmup+measure,
		b.loadArgs(s, append([]string{"-warmup", warmup.String(), "-duration", measure.String()},
			args...)...))
	if err != nil {
		return out, fmt.Errorf("%s: %w", c.name, err)
	}
	if irqTimeAccounting() {
		out.ServerCPUSeconds += out.CoreSoftIRQSeconds
		out.ServerCPUUsPerCall = out.ServerCPUSeconds * 1e6 / float64(max(out.WindowCompleted, 1))
	}
	return out, nil
}

func shards(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	table := &ShardTable{}
	both := []int{b.cfg.ServerCore, b.cfg.LoadCore}
	for range b.cfg.Rounds {
		for _, c := range field {
			for _, n := range []int{1, 2, 4, 8} {
				// The generator sleeps when it has nothing to do, since it shares its processor. No
				// UDP_SEGMENT: a program that steers by content would see only the first of each
				// bundle. As many calls under way for each shard as one alone has elsewhere: a
				// batch is what has arrived meanwhile, and eight shards that share 128 calls have
				// none.
				out, err := b.measure(ctx, c, serverOptions{workers: n, cores: both},
					[]string{"-sleep", "-concurrent", strconv.Itoa(callsUnderWay * n)})
				if err != nil {
					return err
				}
				table.add(c.name, n, out)
				b.say("shards %-20s -n %d  %s", c.name, n, brief(&out))
			}
		}
	}
	r.Shards = table
	return nil
}

func spreadOnePort(ctx context.Context, b *bench, r *Results) error {
	const count = 4
	field := b.field("viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	s, err := b.start(ctx, field[0],
		serverOptions{workers: count, cores: []int{b.cfg.ServerCore, b.cfg.LoadCore}})
	if err != nil {
		return err
	}
	defer s.stop()
	before, err := s.stats(count)
	if err != nil {
		return err
	}
	_, measure := b.times(field[0], false)
	args := b.loadArgs(s, "-callers", strconv.Itoa(firstCaller), "-sleep", "-concurrent",
		strconv.Itoa(callsUnderWay), "-warmup", "0", "-duration", measure.String())
	out, err := b.runLoad(ctx, measure, args)
	if err != nil {
		return err
	}
	after, err := s.stats(count)
	if err != nil {
		return err
	}
	busiest, mean, handedOff := spread(before, after)
	if mean == 0 {
		return errors.New("the shards counted no message")
	}
	r.Spread = &Spread{Shards: count, Busiest: busiest, Mean: mean, HandedOff: handedOff, Run: out}
	b.say("spread busiest %.0f, mean %.0f messages: %.3f; handed off %d", busiest, mean,
		busiest/mean, handedOff)
	return nil
}

func loss(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	soak := b.cfg.SoakTime
	if soak == 0 {
		soak = 60 * time.Second
		if b.cfg.Quick {
			soak = 4 * time.Second
		}
	}
	for _, c := range field {
		if err := b.lossOf(ctx, c, soak, b.cfg.Segment, r); err != nil {
			return err
		}
		if b.cfg.Segment && c.kind == kindViaduct {
			if err := b.lossOf(ctx, c, soak, false, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// lossOf offers c 80 % of its saturation.
func (b *bench) lossOf(ctx context.Context, c contender, soak time.Duration, bundled bool,
	r *Results) error {
	name, sends := c.name, b.bundled()
	if !bundled {
		name, sends = name+", sent one by one", nil
	}
	s, err := b.shareOfSaturation(ctx, c, name, serverOptions{steady: true}, 0.8, soak, sends)
	if err == nil {
		r.Loss = append(r.Loss, s)
	}
	return err
}

// overload offers more than saturation, for as long as the first calls that get no answer are given
// up. Datagrams leave one by one, so that the generator's sockets do not overflow.
func overload(ctx context.Context, b *bench, r *Results) error {
	field := b.field("kamailio-lb", "viaduct-lb")
	if len(field) == 0 {
		return errAbsent
	}
	length := 20 * time.Second
	if b.cfg.Quick {
		length = 3 * time.Second
	}
	for _, c := range field {
		modes := [][]string{nil}
		if c.kind == kindViaduct {
			modes = append(modes, []string{"--shed", "off"})
		}
		for _, flags := range modes {
			s, err := b.shareOfSaturation(ctx, c,
				strings.Join(append([]string{c.name}, flags...), " "),
				serverOptions{steady: true, flags: flags}, overloadFactor, length,
				[]string{"-give-up", "8s"})
			if err != nil {
				return err
			}
			r.Overload = append(r.Overload, s)
		}
	}
	return nil
}

// shareOfSaturation finds the saturation of c on this machine now, and loads the same process with
// a share of it.
func (b *bench) shareOfSaturation(ctx context.Context, c contender, name string, o serverOptions,
	share float64, length time.Duration, sends []string) (Soak, error) {
	s, err := b.start(ctx, c, o)
	if err != nil {
		return Soak{}, err
	}
	defer s.stop()
	warmup, measure := b.times(c, true)
	full, err := b.runLoad(ctx, warmup+measure,
		b.loadArgs(s, append(sends, "-warmup", warmup.String(), "-duration", measure.String(),
			"-concurrent", strconv.Itoa(callsUnderWay))...))
	if err != nil {
		return Soak{}, err
	}
	rate := full.CallsPerSecond * share
	if rate < 1 {
		return Soak{}, fmt.Errorf("%s completed no calls", name)
	}
	out, err := b.runLoad(ctx, length,
		b.loadArgs(s, append(sends, "-warmup", "0", "-duration", length.String(), "-rate",
			strconv.FormatFloat(rate, 'f', 0, 64))...))
	if err != nil {
		return Soak{}, err
	}
	b.say("%.2f of saturation %-20s %.0f calls/s for %v: %s", share, name, rate, length,
		brief(&out))
	return Soak{
		Name: name, Saturation: full.CallsPerSecond, Rate: rate, Seconds: length.Seconds(),
		Run: out,
	}, nil
}
