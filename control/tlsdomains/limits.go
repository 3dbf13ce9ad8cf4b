package tlsdomains

const (
	// configBytes bounds a tls.cfg. A domain takes some 300 bytes, so maxDomains fit. A longer file
	// is refused.
	configBytes = 4 << 20

	// fileBytes bounds each certificate, key, CA list and revocation list. The Mozilla CA list has
	// 0.2 MB, large revocation lists some MB. A longer file is refused.
	fileBytes = 32 << 20

	// maxDomains bounds the domains of a tls.cfg; a handshake walks through those of its role. More
	// are refused.
	maxDomains = 4096

	// maxProblems bounds how many mistakes one reading lists; a file that is no tls.cfg at all has
	// one in each line.
	maxProblems = 100

	// maxFronts bounds the local addresses whose session tickets are remembered, as many as there
	// may be listeners. Connections to further addresses work, but cannot be resumed.
	maxFronts = 1 << 14

	// maxCAFiles bounds the files of a ca_path.
	maxCAFiles = 1 << 14

	// peerCertificates bounds the chain that a peer may send before it is searched for a way to a
	// CA. Eight intermediates are far above what any CA uses; the search itself is bounded by
	// crypto/x509 (100 signature checks).
	peerCertificates = 10

	// defaultVerifyDepth is Kamailio's default for verify_depth.
	defaultVerifyDepth = 9
)
