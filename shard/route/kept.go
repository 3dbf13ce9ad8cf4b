package route

import "bytes"

// Kept holds the variables of a run that live as long as the transaction: those of $avp, $xavp,
// $xavu and $xavi. A run of request_route begins with none. What it leaves goes with the
// transaction, in the arena, to its failure, branch and reply routes (kept_save.go).
//
// They are lists of items, newest first, in memory that a Ctx has from the start: no message
// allocates any of it.
//
//	AVPs ─→ item ─→ item ─→ …        item: name, value
//	XAVPs ─→ item ─→ …               its value may be a list of items again
type Kept struct {
	items []item // the first ones are the lists AVPs to XAVIs
	free  Item   // items that were removed, linked by next
	text  []byte // names and values
	spare []byte // the room that text is packed into
	waste int    // bytes of text that are no longer used
	// changed says that the transaction does not have the current state yet
	changed bool
}

// Item is the number of an item of Kept. 0 means none.
type Item int32

// The lists, which are items too.
const (
	AVPs Item = iota + 1
	XAVPs
	XAVUs
	XAVIs
	firstItem
)

// item is one variable.
type item struct {
	next, child Item
	hash        uint32 // of the name
	kind        itemKind
	number      int64
	name, text  piece
}

// piece is a piece of Kept.text.
type piece struct{ off, len uint32 }

type itemKind uint8

const (
	listItem itemKind = iota
	intItem
	textItem
)

// Key is the name of an item.
type Key struct {
	text []byte
	hash uint32
}

// KeyOf returns name as a Key. The Key is a view of name.
func KeyOf(name []byte) Key {
	h := uint32(2166136261)
	for _, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A' // names in XAVIs ignore case, so the hash always does
		}
		h = (h ^ uint32(b)) * 16777619
	}
	return Key{name, h}
}

func newKept() *Kept {
	k := &Kept{items: make([]item, firstItem, maxKept), text: make([]byte, 0, maxKeptBytes),
		spare: make([]byte, 0, maxKeptBytes)}
	return k
}

// reset removes all variables.
func (k *Kept) reset() {
	if len(k.items) != int(firstItem) || k.changed {
		k.clear()
	}
}

func (k *Kept) clear() {
	k.items, k.text = k.items[:firstItem], k.text[:0]
	clear(k.items)
	k.free, k.waste, k.changed = 0, 0, false
}

// First returns the newest item of a list, or of the list that is an item's value. It returns 0 if
// there is none.
func (k *Kept) First(in Item) Item { return k.items[in].child }

// Next returns the item behind i, which is older. It returns 0 if there is none.
func (k *Kept) Next(i Item) Item { return k.items[i].next }

// Named returns the first item from i on that has the name. It returns 0 if there is none.
func (k *Kept) Named(i Item, key *Key, anyCase bool) Item {
	for ; i != 0; i = k.items[i].next {
		if x := &k.items[i]; x.hash == key.hash && k.sameName(x, key, anyCase) {
			return i
		}
	}
	return 0
}

func (k *Kept) sameName(x *item, key *Key, anyCase bool) bool {
	name := k.bytes(x.name)
	return bytes.Equal(name, key.text) || anyCase && bytes.EqualFold(name, key.text)
}

// Nth returns the nth item with a name in a list: 0 is the newest, -1 the oldest. It returns 0 if
// there are not so many.
func (k *Kept) Nth(in Item, key *Key, anyCase bool, n int) Item {
	i := k.Named(k.First(in), key, anyCase)
	if n < 0 {
		for j := i; j != 0; j = k.Named(k.Next(j), key, anyCase) {
			n++
		}
		if n < 0 {
			return 0
		}
	}
	for ; i != 0 && n > 0; n-- {
		i = k.Named(k.Next(i), key, anyCase)
	}
	return i
}

// IsList tells whether the value of i is a list.
func (k *Kept) IsList(i Item) bool { return k.items[i].kind == listItem }

// Name returns the name of i, a view.
func (k *Kept) Name(i Item) []byte { return k.bytes(k.items[i].name) }

// Value returns the value of i, null for a list. A text is a view, valid until the statement ends.
func (k *Kept) Value(i Item) Value {
	switch x := &k.items[i]; x.kind {
	case intItem:
		return intOf(x.number)
	case textItem:
		return Value{Kind: strValue, S: k.bytes(x.text)}
	}
	return Value{}
}

func (k *Kept) bytes(s piece) []byte {
	end := s.off + s.len
	return k.text[s.off:end:end]
}

// Push adds an item at the front of a list: a number, a text, or, for null, an empty list. It
// returns 0 if there is no room.
func (k *Kept) Push(in Item, key *Key, v Value) Item {
	i := k.item(key, v)
	if i != 0 {
		k.items[i].next = k.items[in].child
		k.items[in].child = i
	}
	return i
}

// PushLast is Push at the end of a list.
func (k *Kept) PushLast(in Item, key *Key, v Value) Item {
	i := k.item(key, v)
	if i == 0 {
		return 0
	}
	at := &k.items[in].child
	for *at != 0 {
		at = &k.items[*at].next
	}
	*at = i
	return i
}

// item makes an item that is in no list yet. It returns 0 if there is no room.
func (k *Kept) item(key *Key, v Value) Item {
	if k.free == 0 && len(k.items) == cap(k.items) || !k.fits(len(key.text)+len(v.S)) {
		return 0
	}
	x := item{hash: key.hash, name: k.add(key.text)}
	k.give(&x, v)
	i := k.free
	if i != 0 {
		k.free = k.items[i].next
		k.items[i] = x
	} else {
		i = Item(len(k.items))
		k.items = append(k.items, x)
	}
	k.changed = true
	return i
}

// give sets the value of an item. The caller has made room with fits.
func (k *Kept) give(x *item, v Value) {
	switch v.Kind {
	case intValue:
		x.kind, x.number = intItem, v.N
	case strValue:
		x.kind, x.text = textItem, k.add(v.S)
	}
}

// Replace gives an item in a list another value; null makes it an empty list. It returns false if
// there is no room.
func (k *Kept) Replace(i Item, v Value) bool {
	if !k.fits(len(v.S)) {
		return false
	}
	old := k.items[i]
	k.dropList(old.child)
	k.waste += int(old.text.len)
	x := item{next: old.next, hash: old.hash, name: old.name}
	k.give(&x, v)
	k.items[i] = x
	k.changed = true
	return true
}

// Remove removes an item from a list.
func (k *Kept) Remove(in, i Item) {
	for at := &k.items[in].child; *at != 0; at = &k.items[*at].next {
		if *at == i {
			*at = k.items[i].next
			k.items[i].next = 0
			k.dropList(i)
			k.changed = true
			return
		}
	}
}

// RemoveAll removes all items with a name from a list, and returns how many there were.
func (k *Kept) RemoveAll(in Item, key *Key, anyCase bool) (n int) {
	for i := k.Named(k.First(in), key, anyCase); i != 0; n++ {
		next := k.Named(k.Next(i), key, anyCase)
		k.Remove(in, i)
		i = next
	}
	return n
}

// dropList frees an item, those behind it, and all that is in them.
func (k *Kept) dropList(i Item) {
	for i != 0 {
		x := &k.items[i]
		k.dropList(x.child)
		k.waste += int(x.name.len + x.text.len)
		next := x.next
		*x = item{next: k.free}
		k.free, i = i, next
	}
}

// fits tells whether there is room for n more bytes of text. It packs the text if that helps.
func (k *Kept) fits(n int) bool {
	if len(k.text)+n <= cap(k.text) {
		return true
	}
	// Slow path: much was overwritten. Packing must be rare, since a view that a statement still
	// uses stays valid through one packing but not through the next.
	if k.waste < cap(k.text)/4 {
		return false
	}
	k.pack()
	return len(k.text)+n <= cap(k.text)
}

// add stores a text. The caller has made room with fits.
func (k *Kept) add(b []byte) piece {
	s := piece{uint32(len(k.text)), uint32(len(b))}
	k.text = append(k.text, b...)
	return s
}

// pack moves the texts that are in use together.
func (k *Kept) pack() {
	to := k.spare[:0]
	move := func(s *piece) {
		off := len(to)
		to = append(to, k.bytes(*s)...)
		s.off = uint32(off)
	}
	for i := firstItem; int(i) < len(k.items); i++ {
		x := &k.items[i]
		move(&x.name)
		move(&x.text)
	}
	k.text, k.spare, k.waste = to, k.text, 0
}

// Kept returns the variables that live as long as the transaction.
func (c *Ctx) Kept() *Kept { return c.kept }
