package parser

// Limits of this package. None is configurable: each is either the standard's
// or far beyond what a proxy meets.
const (
	// MaxMessageBytes is the largest message Parse accepts. A UDP payload ends at 65,507
	// bytes; the stream side frames up to this. Beyond: Reason TooLarge.
	MaxMessageBytes = 1 << 20

	// InlineHeaders is how many header rows a Message holds without any slice growing.
	// RFC 4475's longest message has 43, an ordinary INVITE 10 to 20.
	// Beyond: the Message grows its slice once to MaxHeaders and keeps it.
	InlineHeaders = 64

	// MaxHeaders is the most header rows a message may have. 64 KiB of "a:\r\n" would be
	// 16,384 rows; nobody honest sends a thousand. Beyond: Reason TooManyHeaders.
	MaxHeaders = 1024

	// MaxCSeq is the largest CSeq number: 2^32-1. RFC 3261 §8.1.1.5 starts a count below 2^31 so
	// that it can go on from there; a dialog may pass 2^31. RFC 4475 §3.1.2.4 calls numbers beyond
	// 2^32-1 errors.
	MaxCSeq = 1<<32 - 1

	// MaxMaxForwards is the largest Max-Forwards (RFC 3261 §20.22: 0 to 255).
	MaxMaxForwards = 255

	// MaxMaxBreadth is the largest Max-Breadth. RFC 5393 §5.3.3 sets no limit (its default is 60);
	// this one keeps it an int on every machine. Beyond: Reason BadMaxBreadth.
	MaxMaxBreadth = 1<<31 - 1

	// MinStatus and MaxStatus bound a Status-Code (RFC 3261 §21, §7.2: 1xx to 6xx).
	MinStatus = 100
	MaxStatus = 699

	// maxContentLength keeps a Content-Length an int on every machine. It is far beyond
	// MaxMessageBytes, so a larger one could not be met anyway.
	maxContentLength = 1<<31 - 1
)
