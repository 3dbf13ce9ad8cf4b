package traffic

import (
	"errors"
	"time"
)

// open opens the sockets of both sides and has them watched.
func (e *Engine) open() (err error) {
	if e.poll, err = newPoller(); err != nil {
		return err
	}
	if e.cfg.Transport != UDP {
		return e.openStreams()
	}
	// Answerers first: with Direct, callers connect to their ports.
	for i, a := range e.cfg.Answerers {
		s, err := openSocket(a, e.cfg.Segment, &e.account.sockets)
		if err != nil {
			return err
		}
		s.answerer, s.index = true, i
		e.answerers = append(e.answerers, s)
		e.sockets = append(e.sockets, s)
	}
	for i, a := range e.cfg.Callers {
		s, err := openSocket(a, e.cfg.Segment, &e.account.sockets)
		if err != nil {
			return err
		}
		s.index = i
		e.callers = append(e.callers, s)
		e.sockets = append(e.sockets, s)
	}
	for i, s := range e.sockets {
		peer := e.cfg.Server
		if e.cfg.Path == Direct && s.answerer {
			peer = e.callers[s.index].local
		} else if e.cfg.Path == Direct {
			peer = e.answerers[s.index].local
		}
		if err := errors.Join(s.connect(peer), e.poll.add(s, i)); err != nil {
			return err
		}
	}
	return nil
}

// openStreams listens for the answerers and connects the callers.
func (e *Engine) openStreams() (err error) {
	e.shaken = make(chan shaken, maxSockets) // no handshake waits for us to hear of its end
	if e.cfg.Transport == TLS {
		e.cipher = make([]byte, cipherBytes)
		if e.tlsConfig, err = newTLSConfig(); err != nil {
			return err
		}
	}
	for i, a := range e.cfg.Answerers {
		s, err := e.listen(a)
		if err != nil {
			return err
		}
		s.answerer, s.index = true, i
		e.answerers = append(e.answerers, s)
		e.sockets = append(e.sockets, s)
		if err := e.poll.add(s, i); err != nil {
			return err
		}
	}
	for i, a := range e.cfg.Callers {
		peer := e.cfg.Server
		if e.cfg.Path == Direct {
			peer = e.answerers[i].local
		}
		s, err := e.dial(a, peer)
		if err != nil {
			return err
		}
		s.index = i
		e.callers = append(e.callers, s)
		e.sockets = append(e.sockets, s)
		if e.cfg.Transport == TLS {
			e.handshake(s, nil)
		}
	}
	// Until the handshakes are over nothing is expected but connections; each ends by itself in
	// time.
	for e.shaking > 0 {
		for i := range e.poll.wait(int64(time.Millisecond)) {
			if s := e.sockets[e.poll.events[i].Fd]; s.stream.listening {
				e.accept(s)
			}
		}
		if err := e.takeShaken(); err != nil {
			return err
		}
	}
	for _, s := range e.callers {
		if err := e.poll.add(s, len(e.answerers)+s.index); err != nil {
			return err
		}
	}
	return nil
}
