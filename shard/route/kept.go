package route

import "bytes"

// Kept are the variables of a run that live as long as the transaction: those of $avp, $xavp, $xavu
// and $xavi. A run of request_route begins with none; what it leaves goes with the transaction, in
// the arena, to its failure, branch and reply routes (kept_save.go).
//
// They are lists of items, newest first, in memory that a Ctx has from the start: nothing of it is
// allocated by a message.
//
//	AVPs ─→ item ─→ item ─→ …        item: name, value
//	XAVPs ─→ item ─→ …               its value may be a list of items again
type Kept struct {
	items []item // the first are AVPs to XAVIs
	free  Item   // items that were taken out, by next
	text  []byte // names and values
	spare []byte // the room that text is packed into
	waste int    // bytes of text that nothing names any more
	// changed says that the transaction has not got them yet
	changed bool
}

// Item is an item of Kept; 0 means none.
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

// KeyOf is a name as a Key. It is no copy.
func KeyOf(name []byte) Key {
	h := uint32(2166136261)
	for _, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A' // names in XAVIs have no case
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

// reset forgets all of them.
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

// First is the newest item of a list, or of the list that is an item's value. It is 0 if there is
// none.
func (k *Kept) First(in Item) Item { return k.items[in].child }

// Next is the item behind one, which is older.
func (k *Kept) Next(i Item) Item { return k.items[i].next }

// Named is the first item from i on that has a name.
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

// Nth is the nth item in a list that has a name: 0 is the newest, -1 the oldest.
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

// IsList tells whether the value of an item is a list.
func (k *Kept) IsList(i Item) bool { return k.items[i].kind == listItem }

// Name is the name of an item, a view.
func (k *Kept) Name(i Item) []byte { return k.bytes(k.items[i].name) }

// Value is the value of an item, null for a list. A text is a view that stays until the statement
// ends.
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

// Push puts an item in front of a list: a number, a text, or for null a list that is empty. It
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

// item makes one that is in no list.
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

// give gives an item a value, for which there is room.
func (k *Kept) give(x *item, v Value) {
	switch v.Kind {
	case intValue:
		x.kind, x.number = intItem, v.N
	case strValue:
		x.kind, x.text = textItem, k.add(v.S)
	}
}

// Replace gives an item of a list another value, which is not null. It returns false if there is no
// room.
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

// Remove takes an item out of a list.
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

// RemoveAll takes all items with a name out of a list and tells how many there were.
func (k *Kept) RemoveAll(in Item, key *Key, anyCase bool) (n int) {
	for i := k.Named(k.First(in), key, anyCase); i != 0; n++ {
		next := k.Named(k.Next(i), key, anyCase)
		k.Remove(in, i)
		i = next
	}
	return n
}

// dropList gives back an item, those behind it, and all that is in them.
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

// fits tells whether n more bytes of text have room, and makes it.
func (k *Kept) fits(n int) bool {
	if len(k.text)+n <= cap(k.text) {
		return true
	}
	// Slow path: much was written over. What is packed too often would move what a statement still
	// looks at: a view of before stays good until the next time.
	if k.waste < cap(k.text)/4 {
		return false
	}
	k.pack()
	return len(k.text)+n <= cap(k.text)
}

// add keeps a text, for which there is room.
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

// Kept are the variables that live as long as the transaction.
func (c *Ctx) Kept() *Kept { return c.kept }
