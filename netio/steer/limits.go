package steer

const (
	// MaxShards is the size of the kernel program's map of sockets (steer.c). It is larger than any
	// likely number of shards, so that a successor with another number can use the same map.
	MaxShards = 256

	// searchedBytes is how much of a datagram the kernel program looks at (SEARCHED in steer.c). A
	// Call-ID that ends behind it is left to user space; proxies add their headers in front of it,
	// and eight long ones are some 1,000 bytes.
	searchedBytes = 2048

	// slackBytes follows the searched bytes in the program's buffer (SLACK): 255 bytes of Call-ID
	// plus a word may be read from any masked position.
	slackBytes = 320
)
