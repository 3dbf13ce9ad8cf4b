package tlslayer

const (
	// scratchBytes is the room for the plain bytes of one record, the largest that RFC 8446 §5.1
	// allows; a shorter one would only split emit's pieces. The buffers are pooled: a process has
	// as many as there are Feeds under way, one per event loop.
	scratchBytes = 16 << 10

	// pendingBytes bounds what TLS itself wants to write and nobody has taken (Pending, Seal). An
	// answer to a KeyUpdate takes 22 to 30 bytes, an alert as many, so a caller who empties it
	// after each Feed stays below: a Feed of 64 KiB, full of KeyUpdates, makes as much. At the
	// limit the session fails with ErrPendingFull.
	pendingBytes = 128 << 10

	// A session's input needs no limit here: crypto/tls keeps at most one record (16 KiB and 2 KiB
	// of overhead, RFC 5246 §6.2.3) and one handshake message (64 KiB, its maxHandshake), and fails
	// beyond. Measured with Go 1.26: a server's session holds 14 KB, one that has had records of 16
	// KiB up to 62 KB for good.
)
