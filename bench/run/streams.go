package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"viaduct/bench/traffic"
)

func overTCP(ctx context.Context, b *bench, r *Results) (err error) {
	r.TCP, err = b.streams(ctx, "tcp")
	return err
}

func overTLS(ctx context.Context, b *bench, r *Results) (err error) {
	r.TLS, err = b.streams(ctx, "tls")
	return err
}

// streams measures the call over one transport, closed and open loop.
func (b *bench) streams(ctx context.Context, transport string) (*Streams, error) {
	field := b.field("kamailio-"+transport, "viaduct-"+transport)
	var s Streams
	var err error
	if s.Saturation, err = b.compare(ctx, transport, field, serverOptions{},
		[]string{"-concurrent", strconv.Itoa(callsUnderWay)}); err != nil {
		return nil, err
	}
	s.Fixed, err = b.compare(ctx, transport+" fixed", field, serverOptions{},
		[]string{"-rate", strconv.Itoa(fixedRate)})
	return &s, err
}

// certificate makes the servers' certificate at the first call, and gives the definitions that name
// it to a configuration.
func (b *bench) certificate() ([]string, error) {
	certificate, key := filepath.Join(b.dir, "certificate.pem"), filepath.Join(b.dir, "key.pem")
	if !b.certified {
		if err := traffic.WriteCertificate(certificate, key); err != nil {
			return nil, err
		}
		b.certified = true
	}
	return []string{fmt.Sprintf("TLS_CERTIFICATE=%q", certificate), fmt.Sprintf("TLS_KEY=%q", key)},
		nil
}
