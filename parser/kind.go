package parser

import "viaduct/transport"

// Kind says which header a row is, whatever case or compact form its name has.
// There are fewer than 64, so that a set of kinds is one word.
type Kind uint8

// The kinds. Those a proxy needs, then those the routing language reads often.
const (
	KindOther Kind = iota // any name not listed here
	KindVia
	KindFrom
	KindTo
	KindCallID
	KindCSeq
	KindMaxForwards
	KindMaxBreadth
	KindRoute
	KindRecordRoute
	KindContact
	KindContentLength
	KindContentType
	KindRequire
	KindProxyRequire
	KindSupported
	KindUnsupported
	KindExpires
	KindMinExpires
	KindRetryAfter
	KindEvent
	KindSubject
	KindAuthorization
	KindProxyAuthorization
	KindWWWAuthenticate
	KindProxyAuthenticate
	KindAuthenticationInfo
	KindPath
	KindServiceRoute
	KindUserAgent
	KindServer
	KindAllow
	KindAllowEvents
	KindAccept
	KindAcceptContact
	KindRejectContact
	KindContentEncoding
	KindContentDisposition
	KindMIMEVersion
	KindDate
	KindTimestamp
	KindOrganization
	KindReferTo
	KindReferredBy
	KindReplaces
	KindSubscriptionState
	KindSessionExpires
	KindMinSE
	KindRAck
	KindRSeq
	KindReason
	KindPrivacy
	KindPAssertedIdentity
	KindPPreferredIdentity
	KindRemotePartyID
	KindDiversion
	KindHistoryInfo
	KindIdentity
	KindWarning
	KindSIPIfMatch
	KindSIPETag
	KindGeolocation

	// NumKinds is the number of Kinds.
	NumKinds
)

// Method is a request method. The comparison with these names is case-sensitive (RFC 3261 §7.1).
type Method uint8

// The methods.
const (
	MethodOther Method = iota // a token that is none of these
	INVITE
	ACK
	BYE
	CANCEL
	OPTIONS
	REGISTER
	SUBSCRIBE
	NOTIFY
	PUBLISH
	INFO
	REFER
	MESSAGE
	UPDATE
	PRACK

	// NumMethods is the number of Methods.
	NumMethods
)

// Transport is a transport protocol as Via and transport= name it.
type Transport = transport.Proto

// The transports.
const (
	TransportNone  = transport.None  // no transport parameter
	TransportOther = transport.Other // a token that is none of these
	UDP            = transport.UDP
	TCP            = transport.TCP
	TLS            = transport.TLS
	SCTP           = transport.SCTP
	TLSSCTP        = transport.TLSSCTP
	WS             = transport.WS
	WSS            = transport.WSS
)

// Scheme is a URI scheme.
type Scheme uint8

// The schemes.
const (
	SchemeOther Scheme = iota // any other
	SIP
	SIPS
	TEL
	URN
)
