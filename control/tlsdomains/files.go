package tlsdomains

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"viaduct/file"
)

// files reads each file of one reading once, however many domains name it.
type files struct {
	dir  string // where relative names begin
	data map[string][]byte
	cas  map[string]*bundle
}

func newFiles(dir string) *files {
	return &files{dir: dir, data: map[string][]byte{}, cas: map[string]*bundle{}}
}

// path returns where a name of the configuration points to.
func (f *files) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.dir, name)
}

func (f *files) read(name string) ([]byte, error) {
	path := f.path(name)
	if data, ok := f.data[path]; ok {
		return data, nil
	}
	data, err := readBounded(path, fileBytes)
	if err != nil {
		return nil, err
	}
	f.data[path] = data
	return data, nil
}

func readBounded(path string, most int64) ([]byte, error) {
	data, err := file.Read(path, most)
	var read *fs.PathError
	switch {
	case errors.As(err, &read):
		return nil, fmt.Errorf("cannot read it: %w", err)
	case err != nil:
		return nil, err // it has the name and the reason
	}
	return data, nil
}

// bundle is what a ca_list or ca_path holds.
type bundle struct {
	cas []*x509.Certificate
	// skipped are the certificates that cannot be read, and why. They are not trusted; the others
	// are.
	skipped []string
}

// add reads the certificates of one file.
func (b *bundle) add(path string, data []byte) {
	for n := 1; ; {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return
		}
		if block.Type != "CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			b.skipped = append(b.skipped, fmt.Sprintf("certificate %d of %s: %v", n, path, err))
		} else {
			b.cas = append(b.cas, cert)
		}
		n++
	}
}

// usable returns an error if no certificate could be read.
func (b *bundle) usable(path string) error {
	switch {
	case len(b.cas) > 0:
		return nil
	case len(b.skipped) > 0:
		return errors.New(b.skipped[0])
	}
	return fmt.Errorf("there is no CERTIFICATE in %s", path)
}

// authorities reads the certificates of a ca_list.
func (f *files) authorities(name string) (*bundle, error) {
	path := f.path(name)
	if b := f.cas[path]; b != nil {
		return b, nil
	}
	data, err := f.read(name)
	if err != nil {
		return nil, err
	}
	b := &bundle{}
	b.add(path, data)
	if err := b.usable(path); err != nil {
		return nil, err
	}
	f.cas[path] = b
	return b, nil
}

// authoritiesIn reads the certificates of every file of a ca_path. The names that c_rehash makes do
// not matter, so links to the same file count once.
func (f *files) authoritiesIn(name string) (*bundle, error) {
	path := f.path(name)
	if b := f.cas[path]; b != nil {
		return b, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if len(entries) > maxCAFiles {
		return nil, fmt.Errorf("more than %d files in %s", maxCAFiles, path)
	}
	b, seen := &bundle{}, map[string]bool{}
	for _, e := range entries {
		name, err := filepath.EvalSymlinks(filepath.Join(path, e.Name()))
		if err != nil || seen[name] {
			continue // a link to nowhere: what c_rehash leaves of a CA that is gone
		}
		seen[name] = true
		st, err := os.Stat(name)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		data, err := readBounded(name, fileBytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b.add(name, data)
	}
	if err := b.usable("any file of " + path); err != nil {
		return nil, err
	}
	f.cas[path] = b
	return b, nil
}

// unusableKey returns why a private key cannot be used, in more words than crypto/tls.
func unusableKey(name string, data []byte) error {
	switch {
	case strings.HasPrefix(name, "/engine:"), strings.HasPrefix(name, "/uri:"):
		return errors.New("keys in OpenSSL engines and providers cannot be used; name a PEM file")
	case bytes.Contains(data, []byte("ENCRYPTED")):
		return errors.New("the key is protected by a passphrase; write it without one: openssl " +
			"pkey -in key.pem -out plain.pem")
	}
	return nil
}
