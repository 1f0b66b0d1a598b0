package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAdminSocketOfAnyDirectory(t *testing.T) {
	for _, name := range []string{"short", strings.Repeat("long/", 40)} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		serve, closeServe, err := AdminSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", serve)
		if err != nil {
			t.Fatal(err)
		}
		dial, closeDial, err := AdminSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("unix", dial)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Close(), l.Close()
		closeDial()
		closeServe()
		if _, err := os.Stat(filepath.Join(dir, adminSocket)); !os.IsNotExist(err) {
			t.Errorf("%s: the socket is left behind: %v", name, err)
		}
	}
	if _, _, err := AdminSocket(strings.Repeat("/gone", 40)); err == nil {
		t.Error("a directory that is not there has a socket")
	}
}
