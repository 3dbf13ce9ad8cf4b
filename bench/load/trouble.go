package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"viaduct/bench/trouble"
)

// neighbours are what a server can have besides calls, by the first word of the command line.
var neighbours = map[string]func(*troubleOptions, io.Writer, <-chan struct{}) (any,
	error){"idle": idle, "deaf": deaf, "storm": storm}

type troubleOptions struct {
	server, at  netip.AddrPort
	connections int
	rate        float64
	longest     time.Duration
}

// neighbour runs one of neighbours and prints its counts as JSON.
func neighbour(name string, args []string) int {
	o, err := parseTrouble(name, args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "load %s: %v\n", name, err)
		return 2
	}
	runtime.GOMAXPROCS(1)
	counts, err := neighbours[name](o, os.Stdout, stopping(os.Stdin, o.longest))
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(counts)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "load %s: %v\n", name, err)
		return 1
	}
	return 0
}

func parseTrouble(name string, args []string) (*troubleOptions, error) {
	o := &troubleOptions{}
	f := flag.NewFlagSet("load "+name, flag.ContinueOnError)
	server := f.String("server", "127.0.0.1:5060", "address of the server")
	at := f.String("at", "127.0.0.1:7100", "deaf: address of the peer that does not read")
	f.IntVar(&o.connections, "connections", 1000, "idle: how many")
	f.Float64Var(&o.rate, "rate", 200, "deaf: messages per second; storm: handshakes per second")
	f.DurationVar(&o.longest, "longest", 10*time.Minute,
		"end after this, whatever comes on standard input")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected %q", f.Arg(0))
	}
	var err error
	if o.server, err = netip.ParseAddrPort(*server); err != nil {
		return nil, fmt.Errorf("-server: %w", err)
	}
	if o.at, err = netip.ParseAddrPort(*at); err != nil {
		return nil, fmt.Errorf("-at: %w", err)
	}
	return o, nil
}

// stopping is closed by a line or the end of in, by a signal, or after longest.
func stopping(in io.Reader, longest time.Duration) <-chan struct{} {
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		end()
	}()
	go func() {
		_, _ = bufio.NewReader(in).ReadString('\n') // a line, or the end of input: both mean stop
		end()
	}()
	time.AfterFunc(longest, end)
	return stop
}

func idle(o *troubleOptions, out io.Writer, stop <-chan struct{}) (any, error) {
	d, err := trouble.NewIdle(o.server, o.connections)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	d.Open(stop)
	fmt.Fprintf(out, "{\"phase\":\"held\"}\n")
	for {
		select {
		case <-stop:
			return d.Counts, nil
		default:
			d.Watch()
		}
	}
}

func deaf(o *troubleOptions, _ io.Writer, stop <-chan struct{}) (any, error) {
	d, err := trouble.NewDeaf(o.server, o.at, o.rate)
	if err != nil {
		return nil, err
	}
	return d.Run(stop), nil
}

func storm(o *troubleOptions, _ io.Writer, stop <-chan struct{}) (any, error) {
	return trouble.Storm(o.server, o.rate, stop)
}
