package shard

import "viaduct/shard/proxy"

// accounting has the programs that are needed told of transactions that come to an end. Which
// requests are kept for that is what any of them asks for.
func (w *worker) accounting(c *proxy.Config) {
	programs := append(w.kept[:len(w.kept):len(w.kept)], w.program)
	for _, p := range programs {
		if a := p.Accounting(); a != nil {
			c.AccountFlags |= a.Keeps
			c.AccountAll = c.AccountAll || a.All
			c.AccountAcks = c.AccountAcks || a.Acks
			c.Account = w.account
		}
	}
}

// account tells the program of a transaction of a moment of it.
func (w *worker) account(a *proxy.Accounted) {
	if p := w.programOf(a.Program(w.core)); p != nil {
		p.Account(w.ctx, a)
	}
}
