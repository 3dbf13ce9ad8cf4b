package uac

// maxRealms is how many realms of one response uac_auth() answers; others are left out.
const maxRealms = 8

// maxPart is how many bytes a part of $uac_req may have; a longer one is not taken. Together they
// fit a datagram.
var maxPart = [numFields]int{method: 64, ruri: 1024, turi: 1024, furi: 1024, ouri: 1024, sock: 128,
	callID: 256, authUser: 256, authPassword: 256, evParam: 1024, headers: 8 << 10, body: 32 << 10}
