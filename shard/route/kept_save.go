package route

import (
	"encoding/binary"

	"viaduct/shard/txn"
)

// Kept variables as bytes. An item is its kind, its name, and then a number, a text, or the items
// in it and an end mark. The four lists follow each other. Nothing in it depends on the program, so
// another program, or the next process, can read it.
const (
	savedInt byte = iota + 1
	savedText
	savedList
	endOfList byte = 0
)

// KeptChanged implements proxy.Keeper.
func (c *Ctx) KeptChanged() bool { return c.kept.changed }

// KeptBytes implements proxy.Keeper. It returns how many bytes AppendKept appends, 0 if there are
// no variables.
func (c *Ctx) KeptBytes() int {
	k, n := c.kept, 0
	if !k.some() {
		return 0
	}
	for l := AVPs; l < firstItem; l++ {
		n += k.listBytes(l)
	}
	return n
}

// AppendKept implements proxy.Keeper.
func (c *Ctx) AppendKept(b []byte) []byte { return c.kept.appendTo(b) }

// KeptDone implements proxy.Keeper. The transaction now has the variables.
func (c *Ctx) KeptDone() { c.kept.changed = false }

func (k *Kept) some() bool {
	for l := AVPs; l < firstItem; l++ {
		if k.First(l) != 0 {
			return true
		}
	}
	return false
}

func (k *Kept) appendTo(b []byte) []byte {
	for l := AVPs; l < firstItem; l++ {
		b = k.appendList(b, l)
	}
	return b
}

func (k *Kept) appendList(b []byte, in Item) []byte {
	for i := k.First(in); i != 0; i = k.Next(i) {
		x := &k.items[i]
		switch x.kind {
		case intItem:
			b = binary.AppendVarint(appendText(append(b, savedInt), k.bytes(x.name)), x.number)
		case textItem:
			b = appendText(appendText(append(b, savedText), k.bytes(x.name)), k.bytes(x.text))
		default:
			b = k.appendList(appendText(append(b, savedList), k.bytes(x.name)), i)
		}
	}
	return append(b, endOfList)
}

func appendText(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// listBytes returns how many bytes appendList appends.
func (k *Kept) listBytes(in Item) int {
	var tmp [2 * binary.MaxVarintLen64]byte
	n := 1
	for i := k.First(in); i != 0; i = k.Next(i) {
		x := &k.items[i]
		n += 1 + len(binary.AppendUvarint(tmp[:0], uint64(x.name.len))) + int(x.name.len)
		switch x.kind {
		case intItem:
			n += len(binary.AppendVarint(tmp[:0], x.number))
		case textItem:
			n += len(binary.AppendUvarint(tmp[:0], uint64(x.text.len))) + int(x.text.len)
		default:
			n += k.listBytes(i)
		}
	}
	return n
}

// ReadKept replaces the variables with those that AppendKept wrote to b. An empty b has none. It
// returns false if b is malformed; what was read before the mistake is then kept.
func (c *Ctx) ReadKept(b []byte) bool {
	c.kept.reset()
	if len(b) == 0 {
		return true
	}
	for l := AVPs; l < firstItem; l++ {
		var ok bool
		if b, ok = c.kept.readList(b, l, 0); !ok {
			return false
		}
	}
	c.kept.changed = false
	return len(b) == 0
}

// readList reads a list from the start of b and returns what stands behind it.
func (k *Kept) readList(b []byte, in Item, depth int) ([]byte, bool) {
	last := &k.items[in].child
	for len(b) > 0 && depth <= maxKeptDepth {
		kind := b[0]
		if b = b[1:]; kind == endOfList {
			return b, true
		}
		name, rest, ok := readText(b)
		if !ok {
			return nil, false
		}
		b = rest
		var v Value
		switch kind {
		case savedInt:
			n, size := binary.Varint(b)
			if size <= 0 {
				return nil, false
			}
			v, b = intOf(n), b[size:]
		case savedText:
			s, rest, ok := readText(b)
			if !ok {
				return nil, false
			}
			v, b = TextValue(s), rest
		case savedList:
		default:
			return nil, false
		}
		key := KeyOf(name)
		i := k.item(&key, v)
		if i == 0 {
			return nil, false
		}
		*last, last = i, &k.items[i].next
		if kind == savedList {
			if b, ok = k.readList(b, i, depth+1); !ok {
				return nil, false
			}
		}
	}
	return nil, false
}

func readText(b []byte) (s, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n:n], b[n:], true
}

// takeKept gives a run that begins the variables of its transaction.
func (c *Ctx) takeKept() {
	tx := c.Tx
	if c.Request != nil {
		tx = c.Request.Tx
		if c.Request.Keeper == nil {
			c.Request.Keeper = c // always the shard's one
		}
	}
	if tx == nil || tx.Saved() == 0 || c.kind == CoreReplyRoute {
		c.kept.reset()
		return
	}
	c.ReadKept(c.Shard.Core.Vars(tx))
}

// leaveKept saves the variables, if they have changed, to the transaction of a run that ends. It
// does so only if the transaction may still run a route.
func (c *Ctx) leaveKept() {
	if !c.kept.changed || c.kind == CoreReplyRoute {
		return
	}
	tx := c.Tx
	if c.Request != nil {
		tx = c.Request.Tx
	}
	if tx != nil && tx.Saved() != 0 && tx.State() != txn.Terminated {
		c.Shard.Core.KeepVars(tx, c)
	}
}
