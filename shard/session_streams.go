package shard

import (
	"time"

	"viaduct/parser"
	"viaduct/shard/route"
)

func (s *session) ForceSocket([]byte) int                                        { return -1 }
func (s *session) ForceSocketName([]byte) int                                    { return -1 }
func (s *session) SendSocket() []byte                                            { return nil }
func (s *session) SendSocketName() []byte                                        { return nil }
func (s *session) ReceivedName() []byte                                          { return nil }
func (s *session) Advertised() (host []byte, port int)                           { return nil, 0 }
func (s *session) SetAdvertised([]byte, int) int                                 { return -1 }
func (s *session) ForwardTo(route.RelayDst) int                                  { return -1 }
func (s *session) AddLocalRPort() int                                            { return -1 }
func (s *session) ForceRPort() int                                               { return -1 }
func (s *session) AliasConn(int) int                                             { return -1 }
func (s *session) SetStreamFlag(route.StreamFlag) int                            { return -1 }
func (s *session) ConnID() int64                                                 { return 0 }
func (s *session) ConnState(int64) route.ConnState                               { return route.ConnGone }
func (s *session) SetConnLifetime(int64, time.Duration) int                      { return -1 }
func (s *session) SetConnKeepalive(int64, time.Duration, int, time.Duration) int { return -1 }
func (s *session) CloseConn(int64, int, []byte) int                              { return -1 }
func (s *session) TLSInfo(route.TLSField) []byte                                 { return nil }
func (s *session) PeerVerified() bool                                            { return false }
func (s *session) BlockSource(time.Duration) int                                 { return -1 }
func (s *session) UnblockSource() int                                            { return -1 }
func (s *session) SourceBlocked() bool                                           { return false }
func (s *session) SetBlockIgnore(route.BlockWhose, route.BlockReasons)           {}
func (s *session) BlockIgnore(route.BlockWhose) route.BlockReasons               { return 0 }
func (s *session) ReplaceContact(parser.Span, []byte) int                        { return -1 }
func (s *session) AddPath([]byte, []byte, bool) int                              { return -1 }
