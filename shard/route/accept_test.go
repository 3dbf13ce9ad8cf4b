package route

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// kamailioPath is where Debian's package puts the server whose language this is.
const kamailioPath = "/usr/sbin/kamailio"

// TestAcceptedAsKamailio wants each file of testdata/accept accepted and each of testdata/refuse
// refused, by us and by Kamailio.
func TestAcceptedAsKamailio(t *testing.T) {
	for _, kind := range []string{"accept", "refuse"} {
		files, err := filepath.Glob("testdata/" + kind + "/*.cfg")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in testdata/%s: %v", kind, err)
		}
		for _, f := range files {
			t.Run(kind+"/"+filepath.Base(f), func(t *testing.T) {
				src, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				_, _, _, err = Load(f, src, Options{Modules: testModules})
				if (err == nil) != (kind == "accept") {
					t.Errorf("Viaduct should %s %s: %v", kind, f, err)
				}
				askKamailio(t, f, kind == "accept")
			})
		}
	}
}

// askKamailio runs kamailio -c on the file, when it is installed.
func askKamailio(t *testing.T, file string, accept bool) {
	t.Helper()
	if _, err := os.Stat(kamailioPath); err != nil {
		t.Skipf("kamailio: not compared with %s, which is not installed", kamailioPath)
	}
	out, err := kamailioCheck(file)
	if (err == nil) != accept {
		t.Errorf("%s should accept (%v) %s: %v\n%s", kamailioPath, accept, file, err, out)
	}
}

// TestDefaultAsKamailio: the embedded script is Kamailio's language too.
func TestDefaultAsKamailio(t *testing.T) { askKamailio(t, "default.cfg", true) }

// kamailioCheck runs kamailio -c on the file. It is given two seconds: it needs 20 ms.
func kamailioCheck(file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, kamailioPath, "-c", "-f", file)
	cmd.WaitDelay = time.Second // its children may hold the pipe
	return cmd.CombinedOutput()
}
