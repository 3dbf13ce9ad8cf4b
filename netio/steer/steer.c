//go:build ignore

// The kernel's half of ownership: finds the Call-ID in a UDP datagram, hashes it, and delivers the datagram to the socket of the shard that owns the call.
//
// It is a hint. Whatever it does not understand it leaves to the kernel's choice by 4-tuple (SK_PASS), and the shard that gets the datagram hands it on. It never
// drops: SK_DROP would send an ICMP error.
//
// The key, which key_test.go spells out plainly: the first header line named "call-id" or "i", in any case, then blanks and ':'. The value begins after blanks and
// ends before the first byte <= 0x20; it has 1 to 255 bytes and ends within the first 2,048 bytes of the payload. The payload's first byte is a letter; an
// empty line ends the search. The kernel looks at 64 lines at most and skips 16 blanks at most.
//
// Rules that keep the verifier content, each of them paid for:
//   - Every loop is a bpf_loop callback (Linux 5.17): it is checked once, not per round, and loads with CAP_BPF alone. Bounded loops would need CAP_PERFMON.
//   - What loops carry lives in the per-CPU map value, not on the stack (see struct scratch). On the stack this program took 6,800 verified instructions instead of
//     644, and did not load with CAP_BPF alone.
//   - Every position is masked right before the read, and neither compiler nor verifier knows anything about it then (see at).
//   - Find first, parse later: the search carries out nothing but a position.
//
// Little-endian only: "the first marked byte" is the lowest.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;

#define UDP_HEADER 8
#define SEARCHED 2048           // bytes of the payload that are looked at
#define SLACK 320               // a masked position plus the longest value plus one word stays inside the buffer
#define MIN_BYTES 12            // less has no room for a start line and a Call-ID
#define LINES 64                // header lines looked at: caps the price of hostile lines of two bytes
#define ROUNDS (SEARCHED / 16 + LINES)
#define BLANKS 16
#define VALUE 255

#define ONES 0x0101010101010101ULL
#define HIGHS 0x8080808080808080ULL

// shards is set before the program is loaded; the verifier then knows it as a constant.
volatile const u32 shards = 1;

// scratch is this CPU's working memory. What loops carry is here and not on the stack: the verifier follows numbers on the stack from round to round, but takes
// whatever is read from a map for unknown, so it sees one state per loop. The stack holds nothing but the pointer that the callbacks get.
struct scratch {
	u64 steered, no_key, no_slot;
	u32 zero;                   // never written
	u32 slot;
	u64 end;                    // bytes of payload in the buffer
	u64 position;               // what the current loop looks at
	u64 lines;                  // begun so far
	u64 name;                   // length of the header name found, 0 while there is none
	u64 left;                   // bytes of the value: found, then not hashed yet
	u64 h, a, b, c, d;          // XXH64
	u8 buffer[SEARCHED + SLACK];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 256);   // MaxShards
	__type(key, u32);
	__type(value, u64);
} sockets SEC(".maps");

// at masks the position, which keeps the read inside the buffer. XOR with zero makes both the compiler and the verifier forget what they know about it: the
// compiler would leave the mask out, and the verifier without CAP_PERFMON insists on the same range (Spectre masking) on every path.
static __always_inline u8 *at(struct scratch *s, u64 position)
{
	return s->buffer + ((position ^ s->zero) & (SEARCHED - 1));
}

static __always_inline u64 word(struct scratch *s, u64 position)
{
	return *(u64 *)at(s, position);
}

// first gives the number of bytes below the lowest one marked by its high bit.
static __always_inline u64 first(u64 marks)
{
	u64 below = (marks & -marks) - 1;

	return ((below & ONES) * ONES >> 56) - 1;
}

struct context {
	struct scratch *s;
};

static long search_step(u64 round, void *context)
{
	struct scratch *s = ((struct context *)context)->s;
	u64 p = s->position, x, m, w;
	u8 b0, b1;

	if (p >= s->end)
		return 1;
	x = word(s, p) ^ (0x0a * ONES);
	m = (x - ONES) & ~x & HIGHS;
	if (!m) {
		p += 8;
		x = word(s, p) ^ (0x0a * ONES);
		m = (x - ONES) & ~x & HIGHS;
		if (!m) {
			s->position = p + 8;
			return 0;
		}
	}
	p += first(m) + 1;
	s->position = p;
	if (p >= s->end || ++s->lines > LINES)
		return 1;

	w = word(s, p);
	b0 = w;
	b1 = w >> 8;
	if (b0 == '\r' || b0 == '\n')
		return 1;
	if ((b0 | 0x20) == 'i' && (b1 == ' ' || b1 == '\t' || b1 == ':')) {
		s->name = 1;
		return 1;
	}
	// "call-id", letters in any case; '-' is compared as it is, since 0x0d | 0x20 is '-' too.
	if (((w | 0x0020200020202020ULL) & 0x00ffffffffffffffULL) == 0x0064692d6c6c6163ULL) {
		b1 = w >> 56;
		if (b1 == ' ' || b1 == '\t' || b1 == ':') {
			s->name = 7;
			return 1;
		}
	}
	return 0;
}

static long blanks_step(u64 round, void *context)
{
	struct scratch *s = ((struct context *)context)->s;
	u8 b = *at(s, s->position);

	if (b != ' ' && b != '\t')
		return 1;
	s->position++;
	return 0;
}

static long value_step(u64 round, void *context)
{
	struct scratch *s = ((struct context *)context)->s;
	u64 w = word(s, s->position + s->left);
	u64 m = (w - 0x21 * ONES) & ~w & HIGHS; // bytes below 0x21; the lowest mark is exact

	if (m) {
		s->left += first(m);
		return 1;
	}
	s->left += 8;
	return 0;
}

// XXH64, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#define P1 0x9E3779B185EBCA87ULL
#define P2 0xC2B2AE3D27D4EB4FULL
#define P3 0x165667B19E3779F9ULL
#define P4 0x85EBCA77C2B2AE63ULL
#define P5 0x27D4EB2F165667C5ULL

static __always_inline u64 rotate(u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline u64 mix(u64 acc, u64 lane)
{
	return rotate(acc + lane * P2, 31) * P1;
}

static __always_inline u64 merge(u64 h, u64 acc)
{
	return (h ^ mix(0, acc)) * P1 + P4;
}

static long stripe_step(u64 round, void *context)
{
	struct scratch *s = ((struct context *)context)->s;
	u64 p = s->position;

	if (s->left < 32)
		return 1;
	s->a = mix(s->a, word(s, p));
	s->b = mix(s->b, word(s, p + 8));
	s->c = mix(s->c, word(s, p + 16));
	s->d = mix(s->d, word(s, p + 24));
	s->position = p + 32;
	s->left -= 32;
	return 0;
}

// Eight bytes, then four, then single ones: at most three, one and three rounds.
static long tail_step(u64 round, void *context)
{
	struct scratch *s = ((struct context *)context)->s;
	u64 p = s->position, left = s->left, w, taken;

	if (!left)
		return 1;
	w = word(s, p);
	if (left >= 8) {
		s->h = rotate(s->h ^ mix(0, w), 27) * P1 + P4;
		taken = 8;
	} else if (left >= 4) {
		s->h = rotate(s->h ^ (w & 0xffffffff) * P1, 23) * P2 + P3;
		taken = 4;
	} else {
		s->h = rotate(s->h ^ (w & 0xff) * P5, 11) * P1;
		taken = 1;
	}
	s->position = p + taken;
	s->left = left - taken;
	return 0;
}

// xxh64 hashes s->left bytes at s->position.
static __always_inline u64 xxh64(struct scratch *s, struct context *c)
{
	u64 length = s->left, h = P5;

	if (length >= 32) {
		s->a = P1 + P2;
		s->b = P2;
		s->c = 0;
		s->d = 0 - P1;
		bpf_loop(VALUE / 32 + 1, stripe_step, c, 0);
		h = rotate(s->a, 1) + rotate(s->b, 7) + rotate(s->c, 12) + rotate(s->d, 18);
		h = merge(merge(merge(merge(h, s->a), s->b), s->c), s->d);
	}
	s->h = h + length;
	bpf_loop(7, tail_step, c, 0);
	h = s->h;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}

SEC("sk_reuseport")
int choose(struct sk_reuseport_md *datagram)
{
	struct context c;
	struct scratch *s;
	u32 zero = 0;
	u64 bytes;
	u8 b;

	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s)
		return SK_PASS;
	bytes = datagram->len;
	if (bytes < UDP_HEADER + MIN_BYTES)
		return SK_PASS;
	bytes -= UDP_HEADER;
	if (bytes > SEARCHED)
		bytes = SEARCHED;
	// Not by direct access: only a part of the datagram may be linear (fragments, segmentation offload, most drivers).
	if (bpf_skb_load_bytes(datagram, UDP_HEADER, s->buffer, bytes))
		return SK_PASS;
	b = s->buffer[0] | 0x20;
	if (b < 'a' || b > 'z') // STUN, CRLF keep-alive
		return SK_PASS;

	c.s = s;
	s->end = bytes;
	s->position = 0;
	s->lines = 0;
	s->name = 0;
	bpf_loop(ROUNDS, search_step, &c, 0);
	if (!s->name)
		goto no_key;
	s->position += s->name;
	bpf_loop(BLANKS, blanks_step, &c, 0);
	if (*at(s, s->position) != ':')
		goto no_key;
	s->position++;
	bpf_loop(BLANKS, blanks_step, &c, 0);

	s->left = 0;
	bpf_loop((VALUE + 1) / 8, value_step, &c, 0);
	// A value without an end has come to 256 bytes. Behind s->end the buffer holds older datagrams: an end found there is none.
	if (s->left == 0 || s->left > VALUE || s->position + s->left >= s->end)
		goto no_key;

	s->slot = (xxh64(s, &c) >> 32) * shards >> 32;
	if (bpf_sk_select_reuseport(datagram, &sockets, &s->slot, 0))
		s->no_slot++;
	else
		s->steered++;
	return SK_PASS;

no_key:
	s->no_key++;
	return SK_PASS;
}

char __license[] SEC("license") = "MIT";
