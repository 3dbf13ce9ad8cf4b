package tlsdomains

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// files reads each file of one reading once, however many domains name it.
type files struct {
	dir  string // relative names count from here
	data map[string][]byte
	cas  map[string][]*x509.Certificate
}

func newFiles(dir string) *files {
	return &files{dir: dir, data: map[string][]byte{}, cas: map[string][]*x509.Certificate{}}
}

// path is where a name of the configuration points to.
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

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	} else if st.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name a file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return data, nil
}

// authorities reads the certificates of a ca_list.
func (f *files) authorities(name string) ([]*x509.Certificate, error) {
	path := f.path(name)
	if cas, ok := f.cas[path]; ok {
		return cas, nil
	}
	data, err := f.read(name)
	if err != nil {
		return nil, err
	}
	cas, err := certificates(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(cas) == 0 {
		return nil, fmt.Errorf("there is no CERTIFICATE in %s", path)
	}
	f.cas[path] = cas
	return cas, nil
}

// authoritiesIn reads the certificates of every file of a ca_path. The names that c_rehash makes do not matter, so links to the same file count once.
func (f *files) authoritiesIn(name string) (cas []*x509.Certificate, err error) {
	path := f.path(name)
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if len(entries) > maxCAFiles {
		return nil, fmt.Errorf("more than %d files in %s", maxCAFiles, path)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		file, err := filepath.EvalSymlinks(filepath.Join(path, e.Name()))
		if err != nil || seen[file] {
			continue // a link to nowhere: what c_rehash leaves of a CA that is gone
		}
		seen[file] = true
		st, err := os.Stat(file)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		data, err := readBounded(file, fileBytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		more, err := certificates(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		cas = append(cas, more...)
	}
	if len(cas) == 0 {
		return nil, fmt.Errorf("there is no CERTIFICATE in any file of %s", path)
	}
	return cas, nil
}

func certificates(data []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return certs, nil
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" && block.Type != "X509 CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
}

// unusableKey says why a private key cannot be used, where crypto/tls would be brief.
func unusableKey(name string, data []byte) error {
	switch {
	case strings.HasPrefix(name, "/engine:"), strings.HasPrefix(name, "/uri:"):
		return errors.New("keys in OpenSSL engines and providers cannot be used; name a PEM file")
	case bytes.Contains(data, []byte("ENCRYPTED")):
		return errors.New("the key is protected by a passphrase; write it without one: openssl pkey -in key.pem -out plain.pem")
	}
	return nil
}
