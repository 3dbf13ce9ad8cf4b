package control

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPIDFile(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	// held is a living process that is not us.
	held := exec.Command("sleep", "60")
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	defer held.Wait()
	defer held.Process.Kill()

	// zombie has ended, and its parent has not asked how.
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer zombie.Wait()
	if err := unix.Waitid(unix.P_PID, zombie.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}

	f := func(name, content, wantErr string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "pid")
		if content != "absent" {
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range []func(string) error{CheckPIDFile, CreatePIDFile} {
			err := step(path)
			if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
				t.Errorf("%s: %v, want %q", name, err, wantErr)
			}
		}
		after, _ := os.ReadFile(path)
		want := content // a refused file is left as it was
		if wantErr == "" {
			want = fmt.Sprintf("%d\n", os.Getpid())
		}
		if string(after) != want {
			t.Errorf("%s: file holds %q, want %q", name, after, want)
		}
	}
	f("no file", "absent", "")
	f("dead process", fmt.Sprintf("%d\n", dead.Process.Pid), "")
	f("zombie", fmt.Sprintf("%d\n", zombie.Process.Pid), "")
	f("dead process without line feed", fmt.Sprint(dead.Process.Pid), "")
	f("own number of a former life", fmt.Sprintf("%d\n", os.Getpid()), "")

	f("living process", fmt.Sprintf("%d\n", held.Process.Pid), "already running")
	f("no number", "not a pid\n", "does not hold a process number")
	f("empty", "", "does not hold a process number")
	f("zero", "0\n", "does not hold a process number")
	f("a process group", "-1\n", "does not hold a process number")
	f("trailing text", "12 x\n", "does not hold a process number")
	f("too large", "99999999999999999999\n", "does not hold a process number")
}

// Of two that start at once one wins: the second meets a living process.
func TestPIDFileSecondCreateLoses(t *testing.T) {
	held := exec.Command("sleep", "60")
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	defer held.Wait()
	defer held.Process.Kill()
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%d\n", held.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CreatePIDFile(path); err == nil {
		t.Error("a file of a living process was overwritten")
	}
}

func TestPIDFileCannotBeWritten(t *testing.T) {
	if err := CreatePIDFile(filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
