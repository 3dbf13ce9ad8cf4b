package control

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Role is what a client of HTTP may do.
type Role uint8

// The roles. Each may do what those in front of it may.
const (
	NoRole Role = iota
	Reader      // may call what changes nothing
	Writer      // may call everything
)

// leastToken is how many characters a token has at least.
const leastToken = 16

// Tokens are the secrets of clients (RFC 6750), by role. They are safe for concurrent use.
type Tokens struct {
	path string
	of   atomic.Pointer[[]token]
}

type token struct {
	hash [sha256.Size]byte
	role Role
}

// ReadTokens reads a file of tokens: lines "read TOKEN" or "write TOKEN", and comments behind #.
// Nobody but its owner and its group may read it.
func ReadTokens(path string) (*Tokens, error) {
	t := &Tokens{path: path}
	if err := t.ReadAgain(); err != nil {
		return nil, err
	}
	return t, nil
}

// ReadAgain reads the file as it is now. After an error the tokens are those there were.
func (t *Tokens) ReadAgain() error {
	of, err := readTokens(t.path)
	if err == nil {
		t.of.Store(&of)
	}
	return err
}

func readTokens(path string) (all []token, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the tokens: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the tokens: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file of tokens", path)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s has tokens, and everybody may read it: chmod 640 %s", path, path)
	}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		role := map[string]Role{"read": Reader, "write": Writer}[words[0]]
		switch {
		case role == NoRole || len(words) != 2:
			return nil, fmt.Errorf(`%s:%d: write "read TOKEN" or "write TOKEN"`, path, n)
		case len(words[1]) < leastToken:
			return nil, fmt.Errorf("%s:%d: the token has %d characters; write %d or more, as from "+
				"`openssl rand -hex 16`", path, n, len(words[1]), leastToken)
		}
		all = append(all, token{sha256.Sum256([]byte(words[1])), role})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read the tokens of %s: %w", path, err)
	}
	return all, nil
}

// role returns what the bearer of secret may do. The time it takes says nothing about the tokens.
func (t *Tokens) role(secret []byte) (r Role) {
	hash := sha256.Sum256(bytes.TrimSpace(secret))
	for _, known := range *t.of.Load() {
		if subtle.ConstantTimeCompare(hash[:], known.hash[:]) == 1 {
			r = max(r, known.role)
		}
	}
	return r
}
