package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// controlTime bounds the answer to a command; a reload of a large file is the longest.
const controlTime = 30 * time.Second

// control is the flags that give Viaduct a control socket in the bench's own folder.
func (b *bench) control() []string { return []string{"-x", b.socket()} }

func (b *bench) socket() string { return filepath.Join(b.dir, "control") }

// command gives a Viaduct that was started with control's flags a command in words, and reads its
// answer into result. What the server says against it is an error.
func (b *bench) command(result any, words ...string) error {
	conn, err := net.DialTimeout("unix", b.socket(), controlTime)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(controlTime))
	if _, err := fmt.Fprintln(conn, strings.Join(words, " ")); err != nil {
		return err
	}
	var answer json.RawMessage
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return fmt.Errorf("no answer to %s: %w", words[0], err)
	}
	var fault struct {
		Error *struct{ Message string }
	}
	if json.Unmarshal(answer, &fault) == nil && fault.Error != nil {
		return errors.New(fault.Error.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}

// folder is a folder of the bench's own with a copy of files of bench/peers, for what a scenario
// writes beside them.
func (b *bench) folder(name string, files ...string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(b.peers, f))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, f), text, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
