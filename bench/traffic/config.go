package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Mode says what one call is.
type Mode uint8

const (
	// Call is the whole call, INVITE to the answer to BYE.
	Call Mode = iota
	// Hold opens INVITE transactions, leaves them ringing, and ends them together.
	Hold
	// Options is one OPTIONS request and its answer.
	Options
)

// Release says how held calls end.
type Release uint8

const (
	// ReleaseCancel has the caller send CANCEL, the answerer 487.
	ReleaseCancel Release = iota
	// ReleaseFinal has the answerer send 486.
	ReleaseFinal
	// ReleaseNone leaves the calls to the server's timers.
	ReleaseNone
)

// Path says what is between the two ends, and with it what must have been changed in a message on
// arrival.
type Path uint8

const (
	// Proxy is a SIP proxy that adds one Via and records its route.
	Proxy Path = iota
	// Raw is a forwarder that changes nothing: caller port i is tied to answerer port i.
	Raw
	// Direct is no server: caller port i talks to answerer port i.
	Direct
)

// Transport is how messages travel.
type Transport uint8

const (
	// UDP gives each caller and each answerer one socket.
	UDP Transport = iota
	// TCP gives each caller one connection to the server; answerers take the connections that the
	// server opens.
	TCP
	// TLS is TCP with TLS, certificates made at the start and no resumption.
	TLS
)

func (t Transport) String() string { return [...]string{"UDP", "TCP", "TLS"}[t] }

// parameter is what a SIP URI says of the transport (RFC 3261 §19.1.1); the default goes without
// saying.
func (t Transport) parameter() string {
	return [...]string{"", ";transport=tcp", ";transport=tls"}[t]
}

// URI is the SIP URI of user at an address reached over t.
func (t Transport) URI(user string, at netip.AddrPort) string {
	return "sip:" + user + "@" + at.String() + t.parameter()
}

// Config is what an Engine does. Zero means the stated default where one is stated.
type Config struct {
	Mode Mode
	Path Path
	// Transport is that of both sides.
	Transport Transport

	// Server is where callers send requests, and from where answerers get them. Not used with
	// Direct.
	Server netip.AddrPort
	// Callers are the callers' addresses, one socket or connection each, 1 to MaxPorts. Port 0
	// takes any free port. Empty means only answer.
	Callers []netip.AddrPort
	// Answerers are the answerers' addresses, 0 to MaxPorts. Empty means only call.
	Answerers []netip.AddrPort
	// Targets are the Request-URIs called in turn. Default: sip:bob@ each answerer. With Raw and
	// Direct the i-th caller calls the i-th.
	Targets []string
	// Silent marks answerers, by place in Answerers, that receive and never answer.
	Silent map[int]bool
	// Outside says that answerers outside this Engine take part: what does not arrive here is not
	// lost.
	Outside bool
	// RPort adds the parameter of RFC 3581 to the Via of requests.
	RPort bool
	// NoRecordRoute expects a proxy that stays out of the dialog's route.
	NoRecordRoute bool

	// Concurrent keeps so many calls under way (closed loop). Exclusive with Rate. In Hold, the
	// most calls being opened, or released, at a time.
	Concurrent int
	// Rate starts so many calls per second, whatever happens (open loop). Latency counts from the
	// instant a call was due.
	Rate float64
	// Calls ends the run after so many calls; 0 means no limit. In Hold, how many to open.
	Calls int
	// Warmup precedes the measured window. 0 means none.
	Warmup time.Duration
	// Duration is the measured window. 0 needs Calls. In Hold, how long to hold; 0 means until
	// HoldOver is closed.
	Duration time.Duration
	// Release is how held calls end.
	Release Release
	// HeldByTrying takes a call for held when it has had any provisional response, 100 too. Without
	// it must ring.
	HeldByTrying bool
	// HoldOver ends the holding when closed.
	HoldOver <-chan struct{}

	// T1 is the round-trip estimate of RFC 3261 §17.1.1.1. Default DefaultT1.
	T1 time.Duration
	// GiveUp is when an unfinished call is abandoned. Default 64*T1.
	GiveUp time.Duration
	// Drain is how long to wait for calls under way after the window. Default GiveUp.
	Drain time.Duration

	// Sleep waits for the kernel to wake the loop instead of polling: less CPU, but the server then
	// pays for the wake-ups.
	Sleep bool
	// Segment hands messages of one size to the kernel together, which cuts them apart on arrival
	// (UDP_SEGMENT). The server receives the same datagrams for a third of the generator's cost,
	// but steering by content sees only the first of each: keep it off with several shards.
	Segment bool
	// Slots is the most calls kept track of. Default: fitting Concurrent, Rate or Calls.
	Slots int

	// OnWindow, if set, is called in the loop when the measured window opens (true) and when it
	// closes (false).
	OnWindow func(open bool)
	// OnTick, if set, is called in the loop every TickEvery; default one second.
	OnTick    func(Tick)
	TickEvery time.Duration
	// OnArrival, if set, is called in the loop with each datagram that arrives, valid until it
	// returns.
	OnArrival func(atAnswerer bool, place int, datagram []byte)
	// OnPhase, if set, is called in the loop in Hold when all calls are open ("held") and when all
	// have ended ("released").
	OnPhase func(phase string)
	// Stop ends the run early when closed: calls under way are still finished.
	Stop <-chan struct{}
}

// Tick is one interval of a run.
type Tick struct {
	// Elapsed is the time since the first call.
	Elapsed time.Duration
	// Started, Completed, Failed and Abandoned count calls in this interval.
	Started, Completed, Failed, Abandoned uint64
	// Active is the number of calls under way now.
	Active int
	// Retransmitted counts messages sent again in this interval.
	Retransmitted uint64
	// RingP50 and RingP99 are percentiles of INVITE→180 of this interval.
	RingP50, RingP99 time.Duration
	// PerAnswerer counts INVITEs by answerer since the start. Valid until OnTick returns.
	PerAnswerer []uint64
}

// Normalize fills defaults in and says what is wrong.
func (c *Config) Normalize() error {
	if len(c.Callers) > MaxPorts || len(c.Answerers) > MaxPorts {
		return fmt.Errorf("at most %d ports on a side, have %d callers and %d answerers", MaxPorts,
			len(c.Callers), len(c.Answerers))
	}
	if len(c.Callers) == 0 && len(c.Answerers) == 0 {
		return errors.New("neither callers nor answerers")
	}
	if c.Path != Direct && !c.Server.IsValid() {
		return errors.New("no server address")
	}
	if c.Path != Proxy && len(c.Callers) > 0 && len(c.Callers) != len(c.Answerers) &&
		len(c.Targets) != len(c.Callers) {
		return fmt.Errorf("without a proxy each caller port is tied to one answerer port: have "+
			"%d and %d", len(c.Callers), len(c.Answerers))
	}
	if c.Path == Direct && len(c.Callers) != len(c.Answerers) {
		return fmt.Errorf("direct calls need as many callers as answerers: have %d and %d",
			len(c.Callers), len(c.Answerers))
	}
	if c.Segment && c.Transport != UDP {
		return fmt.Errorf("segmentation is for UDP: %s has no datagrams to cut", c.Transport)
	}
	if c.TickEvery == 0 {
		c.TickEvery = time.Second
	}
	if c.T1 == 0 {
		c.T1 = DefaultT1
	}
	if c.GiveUp == 0 {
		c.GiveUp = giveUpPerT1 * c.T1
	}
	if c.Drain == 0 {
		c.Drain = c.GiveUp + lingerPerT1*c.T1
	}
	if len(c.Callers) == 0 {
		c.Concurrent, c.Rate, c.Calls = 0, 0, 0 // nothing is started here
		return nil
	}
	if c.Mode == Hold && (c.Calls < 1 || c.Rate > 0) {
		return errors.New("hold needs the number of calls and no rate")
	}
	if c.Mode == Hold && c.Duration == 0 && c.HoldOver == nil {
		return errors.New("hold needs a duration")
	}
	if (c.Concurrent > 0) == (c.Rate > 0) {
		return errors.New("give either the number of calls under way or a rate")
	}
	if c.Duration == 0 && c.Calls == 0 {
		return errors.New("give a duration or a number of calls")
	}
	if c.Slots == 0 {
		c.Slots = c.Concurrent + lingerSlots
		if c.Mode == Hold {
			c.Slots = c.Calls + lingerSlots
		}
		if c.Rate > 0 {
			c.Slots = int(c.Rate*c.GiveUp.Seconds()) + lingerSlots
		}
		c.Slots = min(c.Slots, MaxCalls)
	}
	if c.Slots > MaxCalls || c.Slots < c.Concurrent || c.Mode == Hold && c.Slots < c.Calls {
		return fmt.Errorf("%d slots do not hold the calls, or are more than %d", c.Slots, MaxCalls)
	}
	return nil
}
